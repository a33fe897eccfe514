"""Stage 1: the autoencoder between 128 x 128 pictures and 16 x 16 latents, diffusers' own AutoencoderKL."""

from __future__ import annotations

import random
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from diffusers import AutoencoderKL
from torch import Tensor, nn

from .scenes import CANVAS, CELL, Artist, Scene
from .training import Ema, Progress, cosine_rate, load_checkpoint, save_checkpoint

STEPS = 5200
CROP_STEPS = 4000
"""The first steps see crops of half the edge: four times as many per second, and shape is learnt locally."""
CROP_EDGE, CROP_BATCH, FULL_BATCH = 64, 8, 4
PEAK_RATE = 1.2e-3
LATENT_NOISE = 0.1
"""Deviation of the posterior as a share of the latents' own: it makes the decoder forgive the denoiser's errors."""


def build_vae() -> AutoencoderKL:
    """2.6 M parameters. Attention in the middle block is left out: icons are local, and the export stays small."""
    vae = AutoencoderKL(
        in_channels=3,
        out_channels=3,
        down_block_types=("DownEncoderBlock2D",) * 4,
        up_block_types=("UpDecoderBlock2D",) * 4,
        block_out_channels=(16, 32, 64, 128),
        layers_per_block=1,
        latent_channels=4,
        norm_num_groups=8,
        sample_size=CANVAS,
        scaling_factor=1.0,
        force_upcast=False,
        mid_block_add_attention=False,
    )
    for module in vae.modules():
        if isinstance(module, nn.Conv2d):
            fan_in = module.in_channels * module.kernel_size[0] * module.kernel_size[1]
            nn.init.normal_(module.weight, std=fan_in**-0.5)
            nn.init.zeros_(module.bias)
    # Residual branches that start at zero let the gradient of the first hundred steps through undamped.
    for name, module in vae.named_modules():
        if "resnets" in name and name.endswith("conv2"):
            nn.init.zeros_(module.weight)
    return vae


def to_tensor(pictures: list[np.ndarray]) -> Tensor:
    """uint8 pictures [H, W, 3] -> float [B, 3, H, W] in -1..1."""
    return torch.from_numpy(np.stack(pictures)).permute(0, 3, 1, 2).float().div(127.5).sub(1).contiguous()


def encode_mean(vae: AutoencoderKL, pictures: Tensor) -> Tensor:
    """The mean of the latents, float32 [B, 4, H / 8, W / 8]."""
    with torch.autocast("cpu", dtype=torch.bfloat16):
        return vae.encode(pictures).latent_dist.mean.float()


def decode(vae: AutoencoderKL, latents: Tensor) -> Tensor:
    """Latents -> pictures in -1..1, not clamped."""
    with torch.autocast("cpu", dtype=torch.bfloat16):
        return vae.decode(latents).sample.float()


def _edges(difference: Tensor) -> Tensor:
    """Mean absolute first difference across and down."""
    across = (difference[..., :, 1:] - difference[..., :, :-1]).abs().mean()
    down = (difference[..., 1:, :] - difference[..., :-1, :]).abs().mean()
    return across + down


def reconstruction_loss(output: Tensor, target: Tensor, latents: Tensor) -> Tensor:
    """Absolute error, its edges, its 4x-pooled form and a little squared error; latents are held near unit size."""
    difference = output - target
    pooled = F.avg_pool2d(difference, 4).abs().mean()
    size = latents.square().mean()
    return (
        difference.abs().mean()
        + 0.5 * _edges(difference)
        + 0.5 * pooled
        + 0.25 * difference.square().mean()
        + 1e-4 * size
    )


def _picture(artist: Artist, lots: random.Random, edge: int) -> np.ndarray:
    """A random scene; a third have a background outside the palette. Crops start on latent cells."""
    scene: Scene = artist.draw_lots(lots, pair_share=0.15)
    colour = None if lots.random() < 0.67 else tuple(lots.randrange(256) for _ in range(3))
    picture = artist.render(scene, colour)
    if edge == CANVAS:
        return picture
    top, left = (lots.randrange((CANVAS - edge) // CELL + 1) * CELL for _ in range(2))
    return picture[top : top + edge, left : left + edge]


def train_vae(artist: Artist, checkpoint: Path, progress: Progress) -> AutoencoderKL:
    """Trains to STEPS, resuming from `checkpoint`; returns the averaged weights with the latents normalised."""
    torch.manual_seed(10)
    vae = build_vae()
    ema = Ema(vae.parameters(), limit=0.998)
    optimiser = torch.optim.AdamW(vae.parameters(), PEAK_RATE, betas=(0.9, 0.99), weight_decay=1e-3, foreach=True)
    step = load_checkpoint(checkpoint, model=vae, ema=ema, optimiser=optimiser)
    lots = random.Random(f"vae {step}")
    while step < STEPS:
        edge, batch = (CROP_EDGE, CROP_BATCH) if step < CROP_STEPS else (CANVAS, FULL_BATCH)
        target = to_tensor([_picture(artist, lots, edge) for _ in range(batch)])
        with torch.autocast("cpu", dtype=torch.bfloat16):
            mean = vae.encode(target).latent_dist.mean.float()
        spread = mean.detach().std(dim=(0, 2, 3), keepdim=True)
        noisy = mean + LATENT_NOISE * spread * torch.randn_like(mean)
        loss = reconstruction_loss(decode(vae, noisy), target, mean)
        optimiser.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(vae.parameters(), 1.0)
        optimiser.param_groups[0]["lr"] = PEAK_RATE * cosine_rate(step, STEPS, warm_up=50, constant_until=0.1)
        optimiser.step()
        ema.update()
        step += 1
        progress.report("vae", step, STEPS, batch, loss=loss.item())
        if progress.checkpoint_due() or step == STEPS:
            save_checkpoint(checkpoint, step, model=vae, ema=ema, optimiser=optimiser)
    ema.copy_to_parameters()
    return normalise(vae, artist).eval().requires_grad_(False)


@torch.no_grad()
def normalise(vae: AutoencoderKL, artist: Artist) -> AutoencoderKL:
    """Folds the latents' mean and deviation per channel into the 1x1 convolutions on both sides of the latents.

    Latents then have mean 0 and deviation 1, so scaling_factor 1.0 is the truth. The posterior's deviation becomes
    LATENT_NOISE everywhere, as trained.
    """
    lots = random.Random("normalise")
    pictures = [artist.render(artist.draw_lots(lots)) for _ in range(256)]
    latents = torch.cat([encode_mean(vae, to_tensor(pictures[i : i + 32])) for i in range(0, 256, 32)])
    mean, deviation = latents.mean((0, 2, 3)), latents.std((0, 2, 3))
    channels = mean.numel()
    quant, post = vae.quant_conv, vae.post_quant_conv
    quant.weight[:channels] /= deviation[:, None, None, None]
    quant.bias[:channels] = (quant.bias[:channels] - mean) / deviation
    quant.weight[channels:] = 0
    quant.bias[channels:] = 2 * torch.log(torch.tensor(LATENT_NOISE))
    post.bias += post.weight[:, :, 0, 0] @ mean
    post.weight *= deviation[None, :, None, None]
    return vae


@torch.no_grad()
def reconstruction_psnr(vae: AutoencoderKL, artist: Artist, count: int = 96) -> tuple[Tensor, Tensor, Tensor]:
    """Peak signal-to-noise ratio in dB per picture of fresh scenes, with the pictures and their reconstructions."""
    lots = random.Random("psnr")
    target = to_tensor([artist.render(artist.draw_lots(lots)) for _ in range(count)])
    output = torch.cat([decode(vae, encode_mean(vae, target[i : i + 16])) for i in range(0, count, 16)]).clamp(-1, 1)
    error = (output - target).square().mean((1, 2, 3)) / 4
    return -10 * error.log10(), target, output
