"""The noise schedule and a DDIM sampler with classifier-free guidance, for the torch networks and for the export."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

TRAIN_TIMESTEPS = 1000
BETA_START, BETA_END = 0.00085, 0.02
"""SDXL's end of 0.012 leaks the mean colour into the start noise, which turns flat backgrounds gray."""

Velocity = Callable[[Tensor, int], Tensor]
"""(latents [2B, 4, h, w]: unconditional then conditional, timestep) -> velocity of the same shape."""


def alphas_cumprod() -> Tensor:
    """The share of signal power left at each of the 1000 timesteps (scaled_linear betas)."""
    betas = torch.linspace(BETA_START**0.5, BETA_END**0.5, TRAIN_TIMESTEPS) ** 2
    return torch.cumprod(1 - betas, dim=0)


def trailing_timesteps(steps: int) -> list[int]:
    """Evenly spaced timesteps that begin at the noisiest, 999."""
    return [round(TRAIN_TIMESTEPS - k * TRAIN_TIMESTEPS / steps) - 1 for k in range(steps)]


@torch.no_grad()
def ddim(velocity: Velocity, latents: Tensor, steps: int, guidance: float) -> Tensor:
    """Runs DDIM (eta 0) from noise to clean latents; the last step lands on alpha 1."""
    alphas = alphas_cumprod()
    timesteps = trailing_timesteps(steps)
    for index, timestep in enumerate(timesteps):
        unconditional, conditional = velocity(torch.cat([latents, latents]), timestep).chunk(2)
        guided = unconditional + guidance * (conditional - unconditional)
        signal, noise = alphas[timestep].sqrt(), (1 - alphas[timestep]).sqrt()
        clean = signal * latents - noise * guided
        direction = noise * latents + signal * guided
        following = alphas[timesteps[index + 1]] if index + 1 < steps else torch.tensor(1.0)
        latents = following.sqrt() * clean + (1 - following).sqrt() * direction
    return latents


def start_noise(count: int, seed: int, height: int = 16, width: int = 16) -> Tensor:
    """Standard normal latents [count, 4, height, width] from a seed."""
    return torch.randn(count, 4, height, width, generator=torch.Generator().manual_seed(seed))
