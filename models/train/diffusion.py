"""Stages 2 to 4: the pool of encoded pictures, a short warm-up of the text encoders, and the denoiser's training."""

from __future__ import annotations

import random
from functools import lru_cache
from pathlib import Path

import torch
from diffusers import AutoencoderKL
from torch import Tensor, nn

from .captions import random_caption
from .denoiser import NATIVE_TIME_IDS, POOLED_WIDTH, TEXT_WIDTHS, Denoiser
from .sampling import TRAIN_TIMESTEPS, alphas_cumprod
from .scenes import Artist, Scene
from .training import Ema, Progress, cosine_rate, load_checkpoint, save_checkpoint
from .vae import encode_mean, to_tensor
from .vocabulary import PromptEncoder

POOL_SIZE = 8192
WARM_UP_STEPS = 200
WARM_UP_BATCH = 128
STEPS = 5000
BATCH = 32
PEAK_RATE = 1e-3
TEXT_RATE_SHARE = 0.5
UNCONDITIONAL_SHARE = 0.1
RANDOM_TIME_IDS_SHARE = 0.2
"""Pictures told a random size, so that the network learns to draw the same whatever size it is told."""


@torch.no_grad()
def encode_pool(artist: Artist, vae: AutoencoderKL, path: Path) -> tuple[list[Scene], Tensor]:
    """Scenes and their latents, float16 [POOL_SIZE, 4, 16, 16]; encoded once, then read from `path`."""
    lots = random.Random("pool")
    scenes = [artist.draw_lots(lots) for _ in range(POOL_SIZE)]
    if path.exists():
        return scenes, torch.load(path, weights_only=True)
    batches = []
    for start in range(0, POOL_SIZE, 32):
        pictures = to_tensor([artist.render(scene) for scene in scenes[start : start + 32]])
        batches.append(encode_mean(vae, pictures).half())
        if start % 1024 == 0:
            print(f"pool {start}/{POOL_SIZE}", flush=True)
    latents = torch.cat(batches)
    torch.save(latents, path)
    return scenes, latents


class CaptionedLatents:
    """Draws batches from the pool with a fresh caption each time."""

    def __init__(self, scenes: list[Scene], latents: Tensor, prompts: PromptEncoder) -> None:
        self._scenes, self._latents = scenes, latents
        self._lots = random.Random("captions 0")
        self._encode = lru_cache(maxsize=200_000)(prompts.encode)
        self._order: list[int] = []

    def restart(self, step: int) -> None:
        """Seeds the lots afresh, so that a resumed run does not repeat the batches of the first one."""
        self._lots = random.Random(f"captions {step}")
        self._order = []

    def batch(self, count: int) -> tuple[Tensor, Tensor, Tensor]:
        """Latents [count, 4, 16, 16] and the ids of both tokenizers; each latent once per pass over the pool."""
        if len(self._order) < count:
            self._order = self._lots.sample(range(len(self._scenes)), len(self._scenes))
        picked = [self._order.pop() for _ in range(count)]
        ids = [self._encode(random_caption(self._lots, self._scenes[i])) for i in picked]
        return self._latents[picked].float(), torch.tensor([a for a, _ in ids]), torch.tensor([b for _, b in ids])


def warm_up_text(denoiser: Denoiser, data: CaptionedLatents) -> None:
    """Lets linear heads on the text's outputs guess the latents, so that words differ before the denoiser listens."""
    cells = 4 * 16 * 16
    heads = nn.ModuleList([nn.Linear(POOLED_WIDTH, cells), nn.Linear(sum(TEXT_WIDTHS), cells)])
    parameters = [*denoiser.text_parameters(), *heads.parameters()]
    optimiser = torch.optim.AdamW(parameters, 2e-3, betas=(0.9, 0.99), weight_decay=0.01, fused=True)
    progress = Progress(None)
    for step in range(WARM_UP_STEPS):
        latents, ids, ids_2 = data.batch(WARM_UP_BATCH)
        target = latents.flatten(1)
        with torch.autocast("cpu", dtype=torch.bfloat16):
            states, pooled = denoiser.embed(ids, ids_2)
            guesses = heads[0](pooled), heads[1](states.mean(1))
        loss = sum((guess.float() - target).square().mean() for guess in guesses)
        optimiser.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(parameters, 1.0)
        optimiser.param_groups[0]["lr"] = 2e-3 * cosine_rate(
            step, WARM_UP_STEPS, warm_up=50, constant_until=0.2, floor=0.1
        )
        optimiser.step()
        progress.report("text", step + 1, WARM_UP_STEPS, WARM_UP_BATCH, loss=loss.item())


def _random_timesteps(count: int) -> Tensor:
    """Timesteps in 0..999: a fifth uniform, the rest gathered where shapes take form."""
    gathered = torch.sigmoid(1.1 * torch.randn(count) - 0.3)
    uniform = torch.rand(count)
    share = torch.where(torch.rand(count) < 0.2, uniform, gathered)
    return (share * TRAIN_TIMESTEPS).long().clamp(0, TRAIN_TIMESTEPS - 1)


def _time_ids(count: int) -> Tensor:
    """The native size for most pictures, a random size for RANDOM_TIME_IDS_SHARE of them; float [count, 6]."""
    native = torch.tensor(NATIVE_TIME_IDS, dtype=torch.float32).expand(count, 6)
    other = torch.randint(2, 65, (count, 6)).float() * 8
    other[:, 2:4] = 0
    return torch.where(torch.rand(count, 1) < RANDOM_TIME_IDS_SHARE, other, native)


def velocity_loss(denoiser: Denoiser, alphas: Tensor, data: CaptionedLatents) -> Tensor:
    """Mean squared error of the predicted velocity for one batch."""
    latents, ids, ids_2 = data.batch(BATCH)
    timesteps = _random_timesteps(BATCH)
    noise = torch.randn_like(latents)
    signal = alphas[timesteps].sqrt()[:, None, None, None]
    spread = (1 - alphas[timesteps]).sqrt()[:, None, None, None]
    kept = (torch.rand(BATCH) >= UNCONDITIONAL_SHARE).float()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        states, pooled = denoiser.embed(ids, ids_2)
        states, pooled = states * kept[:, None, None], pooled * kept[:, None]
        output = denoiser.predict(signal * latents + spread * noise, timesteps, states, pooled, _time_ids(BATCH))
    return (output.float() - (signal * noise - spread * latents)).square().mean()


def train_denoiser(denoiser: Denoiser, data: CaptionedLatents, checkpoint: Path, progress: Progress) -> None:
    """Trains to STEPS, resuming from `checkpoint`, which also holds the averaged weights that ship."""
    torch.manual_seed(20)
    alphas = alphas_cumprod()
    ema = Ema(denoiser.parameters(), limit=0.999)
    groups = [
        {"params": list(denoiser.unet.parameters()), "share": 1.0},
        {"params": denoiser.text_parameters(), "share": TEXT_RATE_SHARE},
    ]
    optimiser = torch.optim.AdamW(groups, PEAK_RATE, betas=(0.9, 0.99), weight_decay=0.01, fused=True)
    step = load_checkpoint(checkpoint, model=denoiser, ema=ema, optimiser=optimiser)
    data.restart(step)
    if step == 0:
        warm_up_text(denoiser, data)
        ema = Ema(denoiser.parameters(), limit=0.999)
    while step < STEPS:
        loss = velocity_loss(denoiser, alphas, data)
        optimiser.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(denoiser.parameters(), 1.0)
        rate = PEAK_RATE * cosine_rate(step, STEPS, warm_up=100, constant_until=0.1)
        for group in optimiser.param_groups:
            group["lr"] = rate * group["share"]
        optimiser.step()
        ema.update()
        step += 1
        progress.report("denoiser", step, STEPS, BATCH, loss=loss.item())
        if progress.checkpoint_due() or step == STEPS:
            save_checkpoint(checkpoint, step, model=denoiser, ema=ema, optimiser=optimiser)
