"""Puts figures on the exported models with held-out captions. Usage: see models/README.md."""

from __future__ import annotations

import argparse
import json
import os
import sys
from pathlib import Path

import torch

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from evaluate.classifiers import CLIP_FILE, PICTURE_FILE, write_classifier  # noqa: E402
from evaluate.clips import evaluate_clips  # noqa: E402
from evaluate.pictures import evaluate_pictures  # noqa: E402
from evaluate.sample import write_sample  # noqa: E402
from train.icons import MODELS, WORK, fetch_icons  # noqa: E402
from train.scenes import Artist  # noqa: E402

COLUMNS = ("subject", "background", "position", "motion", "both")


def print_table(figures: dict[str, dict]) -> None:
    """The figures as a Markdown table; percentages."""
    columns = [name for name in COLUMNS if any(name in row for row in figures.values())]
    print(f"| what | number | {' | '.join(columns)} |")
    print(f"| {' | '.join('---' for _ in range(len(columns) + 2))} |")
    for what, row in figures.items():
        cells = [f"{row[name]:.1f} %" if name in row else "" for name in columns]
        print(f"| {what} | {row['count']} | {' | '.join(cells)} |")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", choices=("sdxl", "wan", "all"), default="all")
    parser.add_argument("--folder", type=Path, help="another folder than models/tiny-<model>; needs --model")
    parser.add_argument("--count", type=int, help="at most this many captions of each kind, for a quick look")
    parser.add_argument("--sheet", action="store_true", help="write models/samples.png and models/samples-wan.png, too")
    parser.add_argument("--sample", action="store_true", help="write what CI paints, evaluate/sample; measure nothing")
    parser.add_argument("--train-classifiers", action="store_true", help="train and write both, then as --sample")
    arguments = parser.parse_args()
    if arguments.sheet and arguments.count:
        parser.error("A sheet shows every subject, so --sheet goes without --count.")
    if arguments.folder and arguments.model == "all":
        parser.error("--folder is of one model: say which with --model.")
    torch.set_num_threads(int(os.environ.get("FIREPOD_TRAIN_THREADS", "1")))
    artist = Artist(fetch_icons())
    if arguments.train_classifiers:
        write_classifier(artist, PICTURE_FILE)
        write_classifier(artist, CLIP_FILE)
    if arguments.train_classifiers or arguments.sample:
        write_sample(artist)
        return
    for model in ("sdxl", "wan") if arguments.model == "all" else (arguments.model,):
        folder = arguments.folder or MODELS / f"tiny-{model}"
        if model == "sdxl":
            work, evaluate, sheet = WORK, evaluate_pictures, MODELS / "samples.png"
        else:
            work, evaluate, sheet = WORK / "wan", evaluate_clips, MODELS / "samples-wan.png"
        work.mkdir(parents=True, exist_ok=True)
        figures = evaluate(folder, artist, work, arguments.count, sheet if arguments.sheet else None)
        (work / "figures.json").write_text(json.dumps(figures, indent=2) + "\n", "utf8")
        print(f"\n{folder.name} (details: {work / 'figures.json'})\n")
        print_table(figures)


if __name__ == "__main__":
    main()
