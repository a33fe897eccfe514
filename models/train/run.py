"""Does everything from nothing: icons, autoencoder, denoiser, export and figures. Usage: see models/README.md."""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from pathlib import Path

import torch

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from train import diffusion, vae  # noqa: E402
from train.captions import known_words  # noqa: E402
from train.card import model_card  # noqa: E402
from train.denoiser import Denoiser  # noqa: E402
from train.evaluate import evaluate_export  # noqa: E402
from train.export import export_model  # noqa: E402
from train.scenes import SUBJECTS, Artist  # noqa: E402
from train.training import Progress, SliceEnded  # noqa: E402
from train.vocabulary import PromptEncoder  # noqa: E402

MODELS = Path(__file__).resolve().parents[1]
WORK = MODELS / "work"
ICON_PACKAGE = "@iconify-json/fluent-emoji-flat@1.2.6"
STAGES = ("icons", "vae", "denoiser", "export", "evaluate")
SLICE_ENDED_STATUS = 75
"""EX_TEMPFAIL of sysexits.h: the slice is over, run the same command again."""


def fetch_icons() -> Path:
    """Downloads the icon package with npm into the work folder and rasterises the subjects; keeps what is there."""
    icons = WORK / "icons"
    if len(list(icons.glob("*.png"))) >= len(SUBJECTS):
        return icons
    WORK.mkdir(parents=True, exist_ok=True)
    packed = subprocess.run(
        ["npm", "pack", ICON_PACKAGE, "--silent"], cwd=WORK, check=True, capture_output=True, text=True
    )
    subprocess.run(["tar", "xzf", packed.stdout.strip()], cwd=WORK, check=True)
    here = Path(__file__).parent
    script = [here / "rasterise.mjs", WORK / "package" / "icons.json", here / "subjects.txt", icons]
    subprocess.run(["node", *map(str, script)], check=True)
    return icons


def load_averaged(checkpoint: Path, denoiser: Denoiser) -> int:
    """Puts the averaged weights of a checkpoint into the networks; returns the step it was written at."""
    state = torch.load(checkpoint, weights_only=True)
    with torch.no_grad():
        for parameter, average in zip(denoiser.parameters(), state["ema"]["average"], strict=True):
            parameter.copy_(average)
    return state["step"]


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", choices=STAGES, help="run one stage, from what the stages before it left")
    parser.add_argument("--slice-minutes", type=float, help=f"stop after this long with status {SLICE_ENDED_STATUS}")
    parser.add_argument("--output", type=Path, default=MODELS / "tiny-sdxl", help="folder of the exported model")
    return parser.parse_args()


def main() -> None:
    arguments = parse_arguments()
    stages = (arguments.only,) if arguments.only else STAGES
    # One thread: on a shared machine two threads wait for each other longer than they compute.
    torch.set_num_threads(int(os.environ.get("FIREPOD_TRAIN_THREADS", "1")))
    artist = Artist(fetch_icons())
    prompts = PromptEncoder(known_words())
    progress = Progress(arguments.slice_minutes)

    if "vae" in stages:
        trained = vae.train_vae(artist, WORK / "vae.pt", progress)
        torch.save(trained.state_dict(), WORK / "vae-final.pt")
    autoencoder = vae.build_vae().eval().requires_grad_(False)
    autoencoder.load_state_dict(torch.load(WORK / "vae-final.pt", weights_only=True))

    torch.manual_seed(20)
    denoiser = Denoiser.build(len(prompts))
    if "denoiser" in stages:
        scenes, latents = diffusion.encode_pool(artist, autoencoder, WORK / "pool.pt")
        data = diffusion.CaptionedLatents(scenes, latents, prompts)
        diffusion.train_denoiser(denoiser, data, WORK / "denoiser.pt", progress)
    if "export" in stages:
        step = load_averaged(WORK / "denoiser.pt", denoiser)
        training = {
            "data": f"{ICON_PACKAGE} (MIT), rendered on flat backgrounds",
            "icons": len(SUBJECTS),
            "vae_steps": vae.STEPS,
            "denoiser_steps": step,
            "denoiser_samples": step * diffusion.BATCH,
            "hardware": "one CPU core, bfloat16 autocast",
        }
        card = model_card(autoencoder, artist, training)
        for name, difference in export_model(denoiser, autoencoder, prompts, card, arguments.output).items():
            print(f"export {name}: largest difference to torch {difference:.1e}")
    if "evaluate" in stages:
        evaluate_export(arguments.output, artist, WORK, MODELS / "samples.png")


if __name__ == "__main__":
    try:
        main()
    except SliceEnded:
        sys.exit(SLICE_ENDED_STATUS)
