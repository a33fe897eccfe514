"""Stage 1: the causal video autoencoder between 17 frames of 96 x 96 pixels and 5 x 12 x 12 latents."""

from __future__ import annotations

import random
from pathlib import Path

import numpy as np
import torch
from diffusers import AutoencoderKLWan
from diffusers.models.autoencoders.autoencoder_kl_wan import (
    WanAttentionBlock,
    WanCausalConv3d,
    WanResample,
    WanResidualBlock,
)
from torch import Tensor, nn

from ..scenes import Artist
from ..training import Ema, Progress, cosine_rate, load_checkpoint, save_checkpoint
from ..vae import reconstruction_loss
from . import sequence
from .clips import CANVAS, FRAMES, MOTIONS, Animator, draw_clip

CHANNELS = 16
"""Channels of the latents, as in Wan 2.1."""

SCHEDULE = ((2200, 1, 64, 8), (3200, 9, 64, 1), (600, 17, 96, 1))
"""Steps, frames, edge in pixels and batch of each phase: shape first, on crops of single frames, then motion."""

STEPS = sum(steps for steps, *_ in SCHEDULE)
PEAK_RATE = 1.5e-3
LATENT_NOISE = 0.1
"""Deviation of the noise on the latents as a share of their own: it makes the decoder forgive the denoiser's errors."""

FAST_MOTIONS = ("bounce", "spin")
"""Shown twice as often: they change most between frames."""

_CELL = 8


def build_vae(latents_mean: list[float] | None = None, latents_std: list[float] | None = None) -> AutoencoderKLWan:
    """Wan 2.1's autoencoder at a sixth of its width and with one residual block a level in the encoder.

    Only the two coarsest levels look at earlier frames; the convolutions of the finer levels see one frame, which saves
    two thirds of their work and loses little, for a flat subject's motion is known at 24 x 24 cells.
    """
    vae = AutoencoderKLWan(
        base_dim=16,
        z_dim=CHANNELS,
        dim_mult=[1, 2, 4, 4],
        num_res_blocks=1,
        temperal_downsample=[False, True, True],
        latents_mean=latents_mean or [0.0] * CHANNELS,
        latents_std=latents_std or [1.0] * CHANNELS,
    )
    for module in vae.modules():
        if isinstance(module, (nn.Conv2d, nn.Conv3d)):
            fan_in = module.in_channels * module.kernel_size[-1] * module.kernel_size[-2]
            nn.init.normal_(module.weight, std=fan_in**-0.5)
            nn.init.zeros_(module.bias)
            if isinstance(module, WanCausalConv3d):
                # A clip begins as a row of single pictures: no weight on earlier frames.
                module.weight.data[:, :, :-1] = 0
    for module in vae.modules():
        # Residual branches that start at zero let the gradient of the first hundred steps through undamped.
        if isinstance(module, WanResidualBlock):
            nn.init.zeros_(module.conv2.weight)
        elif isinstance(module, WanAttentionBlock):
            nn.init.zeros_(module.proj.weight)
        elif isinstance(module, WanResample) and hasattr(module, "time_conv"):
            # The last of two frames is kept on the way down and repeated on the way up.
            channels = module.dim
            one = torch.eye(channels)
            module.time_conv.weight.data.normal_(std=0.02)
            module.time_conv.weight.data[:, :, -1, 0, 0] += torch.cat(
                [one] * (module.time_conv.out_channels // channels)
            )
    fine_down = [vae.encoder.conv_in, *vae.encoder.down_blocks[:4]]
    fine_up = [*vae.decoder.up_blocks[2:], vae.decoder.conv_out]
    for part in (*fine_down, *fine_up):
        for module in part.modules():
            if isinstance(module, WanCausalConv3d) and module.kernel_size == (3, 3, 3):
                sequence.mark_flat(module)
    return vae


def to_tensor(clips: list[np.ndarray]) -> Tensor:
    """uint8 clips [T, H, W, 3] -> float [B, 3, T, H, W] in -1..1."""
    return torch.from_numpy(np.stack(clips)).permute(0, 4, 1, 2, 3).float().div(127.5).sub(1).contiguous()


def encode_mean(vae: AutoencoderKLWan, clips: Tensor) -> Tensor:
    """The mean of the latents, float32 [B, 16, (T + 3) / 4, H / 8, W / 8], before any normalising."""
    with torch.autocast("cpu", dtype=torch.bfloat16):
        return sequence.encode(vae, clips).float()


def decode(vae: AutoencoderKLWan, latents: Tensor) -> Tensor:
    """Latents as `encode_mean` gives them -> clips in -1..1, not clamped."""
    with torch.autocast("cpu", dtype=torch.bfloat16):
        return sequence.decode(vae, latents).float()


def phase(step: int) -> tuple[int, int, int]:
    """Frames, edge and batch at a step."""
    for steps, *rest in SCHEDULE:
        if step < steps:
            return tuple(rest)
        step -= steps
    raise ValueError("The step lies beyond the schedule.")


def _crop(animator: Animator, artist: Artist, lots: random.Random, frames: int, edge: int) -> np.ndarray:
    """A random piece of a random clip; a third have a background outside the palette. Pieces start on latent cells."""
    clip = draw_clip(artist, lots, MOTIONS + FAST_MOTIONS)
    colour = None if lots.random() < 0.67 else tuple(lots.randrange(256) for _ in range(3))
    first = lots.randrange(FRAMES + 1 - frames)
    top, left = (lots.randrange((CANVAS - edge) // _CELL + 1) * _CELL for _ in range(2))
    rows, columns = slice(top, top + edge), slice(left, left + edge)
    return np.stack([animator.frame(clip, first + k, colour)[rows, columns] for k in range(frames)])


def training_loss(vae: AutoencoderKLWan, target: Tensor) -> Tensor:
    """Reconstruction through latents with a little noise."""
    mean = encode_mean(vae, target)
    spread = mean.detach().std(dim=(0, 2, 3, 4), keepdim=True)
    output = decode(vae, mean + LATENT_NOISE * spread * torch.randn_like(mean))
    flat = (x.transpose(1, 2).flatten(0, 1) for x in (output, target))
    return reconstruction_loss(*flat, mean)


def train_vae(artist: Artist, checkpoint: Path, progress: Progress) -> AutoencoderKLWan:
    """Trains to STEPS, resuming from `checkpoint`; returns the averaged weights, latents' mean and deviation noted."""
    torch.manual_seed(40)
    animator = Animator(artist)
    vae = build_vae()
    ema = Ema(vae.parameters(), limit=0.998)
    optimiser = torch.optim.AdamW(vae.parameters(), PEAK_RATE, betas=(0.9, 0.99), weight_decay=1e-3, foreach=True)
    step = load_checkpoint(checkpoint, model=vae, ema=ema, optimiser=optimiser)
    lots = random.Random(f"clips {step}")
    while step < STEPS:
        frames, edge, batch = phase(step)
        target = to_tensor([_crop(animator, artist, lots, frames, edge) for _ in range(batch)])
        loss = training_loss(vae, target)
        optimiser.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(vae.parameters(), 1.0)
        optimiser.param_groups[0]["lr"] = PEAK_RATE * cosine_rate(step, STEPS, warm_up=50, constant_until=0.3)
        optimiser.step()
        ema.update()
        step += 1
        progress.report(f"video vae {frames}x{edge}", step, STEPS, batch, loss=loss.item())
        if progress.checkpoint_due() or step == STEPS:
            save_checkpoint(checkpoint, step, model=vae, ema=ema, optimiser=optimiser)
    ema.copy_to_parameters()
    return vae.eval().requires_grad_(False)
