"""Stage 4: the decoder alone goes on learning from the pool's latents, which leaves the denoiser's work valid."""

from __future__ import annotations

import random
from pathlib import Path

import torch
from diffusers import AutoencoderKLWan
from torch import nn

from ..scenes import Artist
from ..training import Ema, Progress, cosine_rate, load_checkpoint, save_checkpoint
from ..vae import reconstruction_loss
from .clips import Animator
from .diffusion import Pool
from .vae import FAST_MOTIONS, LATENT_NOISE, decode, to_tensor

STEPS = 400
PEAK_RATE = 8e-4


def polish_decoder(
    vae: AutoencoderKLWan, pool: Pool, artist: Artist, checkpoint: Path, progress: Progress
) -> AutoencoderKLWan:
    """Trains the decoder to STEPS, resuming from `checkpoint`; returns it with the averaged weights."""
    torch.manual_seed(45)
    animator = Animator(artist)
    parameters = [*vae.decoder.parameters(), *vae.post_quant_conv.parameters()]
    for parameter in parameters:
        parameter.requires_grad_(True)
    ema = Ema(parameters, limit=0.99)
    optimiser = torch.optim.AdamW(parameters, PEAK_RATE, betas=(0.9, 0.99), weight_decay=1e-3, foreach=True)
    step = load_checkpoint(checkpoint, model=vae, ema=ema, optimiser=optimiser)
    lots = random.Random(f"polish {step}")
    weights = [2 if clip.motion in FAST_MOTIONS else 1 for clip in pool.clips]
    mean, deviation = (values[None, :, None, None, None] for values in (pool.mean, pool.deviation))
    while step < STEPS:
        picked = lots.choices(range(len(pool.clips)), weights)
        latents = pool.latents[picked].float()
        noisy = (latents + LATENT_NOISE * torch.randn_like(latents)) * deviation + mean
        target = to_tensor([animator.render(pool.clips[i]) for i in picked])
        output = decode(vae, noisy)
        loss = reconstruction_loss(*(x.transpose(1, 2).flatten(0, 1) for x in (output, target)), torch.zeros(1))
        optimiser.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(parameters, 1.0)
        optimiser.param_groups[0]["lr"] = PEAK_RATE * cosine_rate(step, STEPS, warm_up=30, constant_until=0.2)
        optimiser.step()
        ema.update()
        step += 1
        progress.report("video decoder", step, STEPS, 1, loss=loss.item())
        if progress.checkpoint_due() or step == STEPS:
            save_checkpoint(checkpoint, step, model=vae, ema=ema, optimiser=optimiser)
    ema.copy_to_parameters()
    return vae.eval().requires_grad_(False)
