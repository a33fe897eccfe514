"""Trains and exports a model from nothing: icons, autoencoder, denoiser, export. Usage: see models/README.md."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

import torch

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from train import diffusion, vae  # noqa: E402
from train.captions import known_words  # noqa: E402
from train.card import model_card  # noqa: E402
from train.denoiser import Denoiser  # noqa: E402
from train.export import export_model  # noqa: E402
from train.icons import ICON_PACKAGE, MODELS, WORK, fetch_icons  # noqa: E402
from train.scenes import SUBJECTS, Artist  # noqa: E402
from train.training import Progress, SliceEnded, load_averaged  # noqa: E402
from train.vocabulary import PromptEncoder  # noqa: E402
from train.wan.stages import run_wan  # noqa: E402

DATA = f"{ICON_PACKAGE} (MIT), rendered on flat backgrounds"
STAGES = ("icons", "vae", "denoiser", "polish", "export")
"""tiny-sdxl has no polish: its decoder is left as stage "vae" made it."""
SLICE_ENDED_STATUS = 75
"""EX_TEMPFAIL of sysexits.h: the slice is over, run the same command again."""


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", choices=("sdxl", "wan"), default="sdxl", help="which model to train")
    parser.add_argument("--only", choices=STAGES, help="run one stage, from what the stages before it left")
    parser.add_argument("--slice-minutes", type=float, help=f"stop after this long with status {SLICE_ENDED_STATUS}")
    parser.add_argument("--output", type=Path, help="folder of the exported model, models/tiny-<model> unless said")
    return parser.parse_args()


def main() -> None:
    arguments = parse_arguments()
    stages = (arguments.only,) if arguments.only else STAGES
    # One thread: on a shared machine two threads wait for each other longer than they compute.
    torch.set_num_threads(int(os.environ.get("FIREPOD_TRAIN_THREADS", "1")))
    artist = Artist(fetch_icons())
    progress = Progress(arguments.slice_minutes)
    if arguments.model == "wan":
        run_wan(stages, artist, WORK / "wan", arguments.output or MODELS / "tiny-wan", DATA, progress)
    else:
        run_sdxl(stages, artist, arguments.output or MODELS / "tiny-sdxl", progress)


def run_sdxl(stages: tuple[str, ...], artist: Artist, output: Path, progress: Progress) -> None:
    """The stages of tiny-sdxl behind the icons."""
    prompts = PromptEncoder(known_words())
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
            "data": DATA,
            "icons": len(SUBJECTS),
            "vae_steps": vae.STEPS,
            "denoiser_steps": step,
            "denoiser_samples": step * diffusion.BATCH,
            "hardware": "one CPU core, bfloat16 autocast",
        }
        card = model_card(autoencoder, artist, training)
        for name, difference in export_model(denoiser, autoencoder, prompts, card, output).items():
            print(f"export {name}: largest difference to torch {difference:.1e}")


if __name__ == "__main__":
    try:
        main()
    except SliceEnded:
        sys.exit(SLICE_ENDED_STATUS)
