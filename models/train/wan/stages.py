"""The stages of tiny-wan, each from what the one before it left in the work folder."""

from __future__ import annotations

from pathlib import Path

import torch

from ..scenes import Artist
from ..training import Progress, load_averaged
from . import diffusion, polish, vae
from .captions import known_words
from .card import model_card
from .denoiser import Denoiser
from .export import export_model
from .vocabulary import PromptEncoder


def run_wan(stages: tuple[str, ...], artist: Artist, work: Path, output: Path, data: str, progress: Progress) -> None:
    """The stages that `stages` names, in their order; `data` says where the icons come from."""
    work.mkdir(parents=True, exist_ok=True)
    if "vae" in stages:
        trained = vae.train_vae(artist, work / "vae.pt", progress)
        torch.save(trained.state_dict(), work / "vae-final.pt")
    if not {"denoiser", "polish", "export"} & set(stages):
        return
    autoencoder = vae.build_vae().eval().requires_grad_(False)
    autoencoder.load_state_dict(torch.load(work / "vae-final.pt", weights_only=True))
    pool = diffusion.encode_pool(artist, autoencoder, work / "pool.pt")
    prompts = PromptEncoder(known_words())
    torch.manual_seed(50)
    denoiser = Denoiser.build(len(prompts))
    if "denoiser" in stages:
        diffusion.train_denoiser(denoiser, diffusion.CaptionedClips(pool, prompts), work / "denoiser.pt", progress)
    if "polish" in stages:
        polished = polish.polish_decoder(autoencoder, pool, artist, work / "polish.pt", progress)
        torch.save(polished.state_dict(), work / "vae-polished.pt")
    if "export" in stages:
        autoencoder.load_state_dict(torch.load(work / "vae-polished.pt", weights_only=True))
        step = load_averaged(work / "denoiser.pt", denoiser)
        autoencoder.register_to_config(
            latents_mean=[round(value, 5) for value in pool.mean.tolist()],
            latents_std=[round(value, 5) for value in pool.deviation.tolist()],
        )
        training = {
            "data": data,
            "icons": len(set(clip.subject for clip in pool.clips)),
            "clips": len(pool.clips),
            "vae_steps": vae.STEPS,
            "decoder_steps": polish.STEPS,
            "denoiser_steps": step,
            "denoiser_samples": step * diffusion.BATCH,
            "optimiser": "AdamW; Muon for the matrices in the transformer's blocks",
            "hardware": "one CPU core, bfloat16 autocast",
        }
        card = model_card(autoencoder, artist, pool, training)
        for name, difference in export_model(denoiser, autoencoder, prompts, card, output).items():
            print(f"export {name}: largest difference to torch {difference:.1e}")
