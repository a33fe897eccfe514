"""Stage 6: figures and the sample sheet of an exported folder, judged by the independent classifier."""

from __future__ import annotations

import json
import random
from pathlib import Path

import numpy as np
from PIL import Image

from .captions import full_caption
from .classifier import Classifier, score, train_classifier
from .pipeline import ExportedModel, step_milliseconds
from .scenes import CANVAS, POSITIONS, SUBJECTS, Artist, Scene, pair, single

SEED = 1000
SAMPLES_PER_BATCH = 16
SHEET_COLUMNS = 8


def plain_scenes(artist: Artist, held_out: bool) -> list[Scene]:
    """Each icon once, plain, on a background it was trained with or on the one that was kept back."""
    lots = random.Random("plain")
    return [single(lots, i, lots.choice(artist.backgrounds(i, held_out))) for i in range(len(SUBJECTS))]


def placed_scenes(artist: Artist) -> list[Scene]:
    """Each icon once at a position, half of them small, on backgrounds that were kept back."""
    lots = random.Random("placed")
    scenes = []
    for i in range(len(SUBJECTS)):
        background = artist.backgrounds(i, held_out=True)[0]
        scenes.append(single(lots, i, background, lots.choice([None, "small"]), lots.choice(list(POSITIONS))))
    return scenes


def pair_scenes(artist: Artist, count: int) -> list[Scene]:
    """Random pairs on backgrounds that both icons were trained with."""
    lots = random.Random("pairs")
    scenes: list[Scene] = []
    while len(scenes) < count:
        left, right = lots.sample(range(len(SUBJECTS)), 2)
        shared = sorted(set(artist.backgrounds(left, held_out=False)) & set(artist.backgrounds(right, held_out=False)))
        scenes.append(pair(lots, left, right, lots.choice(shared)))
    return scenes


def draw(model: ExportedModel, scenes: list[Scene], seed: int, **options) -> np.ndarray:
    """One picture per scene from its full caption."""
    captions = [full_caption(scene) for scene in scenes]
    batches = range(0, len(captions), SAMPLES_PER_BATCH)
    return np.concatenate([model.pictures(captions[i : i + SAMPLES_PER_BATCH], seed + i, **options) for i in batches])


def _rates(classifier: Classifier, scenes: list[Scene], pictures: np.ndarray) -> dict[str, float | int | list]:
    result = score(classifier, scenes, pictures)
    wrong = [
        f"{full_caption(scene)}: {SUBJECTS[int(seen)].icon}"
        for scene, right, seen in zip(scenes, result["subject"], result["seen"], strict=True)
        if not right
    ]
    rates = {name: round(100 * result[name].float().mean().item(), 1) for name in ("subject", "background", "position")}
    return {"count": len(scenes), **rates, "wrong_subjects": wrong}


def save_sheet(pictures: np.ndarray, path: Path) -> None:
    """Tiles pictures eight to a row into a PNG of 256 colours."""
    rows = len(pictures) // SHEET_COLUMNS
    tiles = pictures[: rows * SHEET_COLUMNS].reshape(rows, SHEET_COLUMNS, CANVAS, CANVAS, 3)
    sheet = tiles.transpose(0, 2, 1, 3, 4).reshape(rows * CANVAS, SHEET_COLUMNS * CANVAS, 3)
    Image.fromarray(sheet).quantize(256, dither=Image.Dither.NONE).save(path, optimize=True)


def evaluate_export(folder: Path, artist: Artist, work: Path, sheet: Path) -> dict:
    """Prints and writes work/figures.json: accuracy on renders (the ceiling), on samples, and times per step."""
    classifier = train_classifier(artist, work / "classifier.pt")
    model = ExportedModel(folder)
    lots = random.Random("ceiling")
    renders = [artist.draw_lots(lots, pair_share=0.0) for _ in range(400)]
    figures: dict[str, object] = {
        "renders (ceiling of the classifier)": _rates(
            classifier, renders, np.stack([artist.render(s) for s in renders])
        ),
    }
    plain = [plain_scenes(artist, held_out=False), plain_scenes(artist, held_out=True)]
    pictures = [draw(model, scenes, SEED) for scenes in plain]
    figures["plain, trained backgrounds"] = _rates(classifier, plain[0], pictures[0])
    figures["plain, held-out backgrounds"] = _rates(classifier, plain[1], pictures[1])
    again = np.concatenate([draw(model, plain[1], SEED + 500 * k) for k in (1, 2)])
    figures["plain, held-out backgrounds, two more seeds"] = _rates(classifier, plain[1] * 2, again)
    placed = placed_scenes(artist)
    figures["placed, held-out backgrounds"] = _rates(classifier, placed, draw(model, placed, SEED))
    figures["milliseconds per guided step"] = {f"{n} threads": round(step_milliseconds(folder, n), 1) for n in (1, 2)}
    # Six rows of plain subjects (the first apple once more fills the last row), one of placed ones, one of pairs.
    apple = plain[0][0].items
    filler = [Scene(apple, "blue"), Scene(apple, "white")]
    extra = draw(model, [*filler, *placed[:SHEET_COLUMNS], *pair_scenes(artist, SHEET_COLUMNS)], SEED)
    save_sheet(np.concatenate([pictures[1], extra]), sheet)
    (work / "figures.json").write_text(json.dumps(figures, indent=2) + "\n", "utf8")
    print(json.dumps(figures, indent=2))
    return figures
