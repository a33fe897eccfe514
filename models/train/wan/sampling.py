"""The path from noise to a clip: diffusers' own UniPC on flow sigmas with guidance, for the figures."""

from __future__ import annotations

from collections.abc import Callable

import torch
from diffusers import UniPCMultistepScheduler
from torch import Tensor

FLOW_SHIFT = 3.0
"""Wan 2.1's shift for small frames: sigma' = shift * sigma / (1 + (shift - 1) * sigma)."""

Velocity = Callable[[Tensor, float], Tensor]
"""(latents [B, 16, F, h, w], timestep) -> guided velocity of the same shape."""


def shifted(sigmas: Tensor) -> Tensor:
    """Sigmas in 0..1, moved towards 1 as FLOW_SHIFT says."""
    return FLOW_SHIFT * sigmas / (1 + (FLOW_SHIFT - 1) * sigmas)


@torch.no_grad()
def sample(velocity: Velocity, scheduler: UniPCMultistepScheduler, latents: Tensor, steps: int) -> Tensor:
    """Runs the scheduler from noise (deviation 1) to clean, normalised latents."""
    scheduler.set_timesteps(steps)
    for timestep in scheduler.timesteps:
        latents = scheduler.step(velocity(latents, float(timestep)), timestep, latents, return_dict=False)[0]
    return latents


def start_noise(count: int, seed: int, frames: int = 5, height: int = 12, width: int = 12) -> Tensor:
    """Standard normal latents [count, 16, frames, height, width] from a seed."""
    return torch.randn(count, 16, frames, height, width, generator=torch.Generator().manual_seed(seed))
