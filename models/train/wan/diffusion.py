"""Stages 2 and 3: the pool of encoded clips, a short warm-up of the text encoder, and the denoiser's training."""

from __future__ import annotations

import random
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import torch
from diffusers import AutoencoderKLWan
from torch import Tensor, nn

from ..scenes import Artist
from ..training import Ema, Progress, cosine_rate, load_checkpoint, save_checkpoint
from .captions import random_caption
from .clips import Animator, Clip, all_clips
from .denoiser import TEXT_WIDTH, Denoiser
from .sampling import shifted
from .vae import encode_mean, to_tensor
from .vocabulary import PromptEncoder

CLIPS_PER_COMBINATION = 12
"""Clips of each subject in each motion, on different backgrounds and at different places."""

WARM_UP_STEPS, WARM_UP_BATCH = 150, 128
STEPS = 3100
BATCH = 16
EMA_LIMIT = 0.995
PEAK_RATE = 1e-3
MUON_RATE = 4e-3
UNCONDITIONAL_SHARE = 0.1
HIGH_SHARE, EVEN_SHARE = 0.5, 0.2
"""Shares of the noise levels drawn close to noise and evenly; the others follow Wan's shifted logit-normal.

Only where noise hides the clip does the network need the text, so that is where it learns what words look like.
"""


@dataclass(frozen=True)
class Pool:
    """Encoded clips; `latents` have mean 0 and deviation 1 per channel, `mean` and `deviation` undo that."""

    clips: list[Clip]
    latents: Tensor
    mean: Tensor
    deviation: Tensor


def _pool_clips(artist: Artist) -> list[Clip]:
    lots = random.Random("video pool")
    combinations: dict[tuple[int, str], list[Clip]] = {}
    for clip in all_clips(artist):
        combinations.setdefault((clip.subject, clip.motion), []).append(clip)
    chosen = [lots.sample(clips, min(CLIPS_PER_COMBINATION, len(clips))) for clips in combinations.values()]
    return [clip for clips in chosen for clip in clips]


@torch.no_grad()
def encode_pool(artist: Artist, vae: AutoencoderKLWan, path: Path) -> Pool:
    """The clips that the denoiser learns from, encoded once, then read from `path`."""
    clips = _pool_clips(artist)
    if path.exists():
        return Pool(clips, **torch.load(path, weights_only=True))
    animator = Animator(artist)
    encoded = []
    for start in range(0, len(clips), 8):
        encoded.append(encode_mean(vae, to_tensor([animator.render(clip) for clip in clips[start : start + 8]])))
        if start % 160 == 0:
            print(f"pool {start}/{len(clips)}", flush=True)
    latents = torch.cat(encoded)
    mean, deviation = latents.mean((0, 2, 3, 4)), latents.std((0, 2, 3, 4))
    normalised = (latents - mean[:, None, None, None]) / deviation[:, None, None, None]
    tensors = {"latents": normalised.half(), "mean": mean, "deviation": deviation}
    torch.save(tensors, path)
    return Pool(clips, **tensors)


class CaptionedClips:
    """Draws batches from the pool with a fresh caption each time."""

    def __init__(self, pool: Pool, prompts: PromptEncoder) -> None:
        self._pool = pool
        self._encode = lru_cache(maxsize=200_000)(prompts.encode)
        self.restart(0)

    def restart(self, step: int) -> None:
        """Seeds the lots afresh, so that a resumed run does not repeat the batches of the first one."""
        self._lots = random.Random(f"video captions {step}")
        self._order: list[int] = []

    def batch(self, count: int, unconditional_share: float = 0.0) -> tuple[Tensor, Tensor]:
        """Latents [count, 16, 5, 12, 12] and prompt ids [count, 32], some of them of the empty prompt."""
        if len(self._order) < count:
            self._order = self._lots.sample(range(len(self._pool.clips)), len(self._pool.clips))
        picked = [self._order.pop() for _ in range(count)]
        captions = [
            "" if self._lots.random() < unconditional_share else random_caption(self._lots, self._pool.clips[i])
            for i in picked
        ]
        return self._pool.latents[picked].float(), torch.tensor([self._encode(caption) for caption in captions])


def warm_up_text(denoiser: Denoiser, data: CaptionedClips) -> None:
    """Lets a linear head on the text's mean guess the latents, so that words differ before the denoiser listens."""
    latents, _ = data.batch(1)
    head = nn.Linear(TEXT_WIDTH, latents.numel())
    parameters = [*denoiser.text_encoder.parameters(), *head.parameters()]
    optimiser = torch.optim.AdamW(parameters, 2e-3, betas=(0.9, 0.99), weight_decay=0.01, fused=True)
    progress = Progress(None)
    for step in range(WARM_UP_STEPS):
        latents, ids = data.batch(WARM_UP_BATCH)
        with torch.autocast("cpu", dtype=torch.bfloat16):
            guess = head(denoiser.embed(ids).sum(1) / (ids != 0).sum(1, keepdim=True))
        loss = (guess.float() - latents.flatten(1)).square().mean()
        optimiser.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(parameters, 1.0)
        optimiser.param_groups[0]["lr"] = 2e-3 * cosine_rate(step, WARM_UP_STEPS, 20, constant_until=0.2, floor=0.1)
        optimiser.step()
        progress.report("video text", step + 1, WARM_UP_STEPS, WARM_UP_BATCH, loss=loss.item())


def random_sigmas(count: int) -> Tensor:
    """Noise levels in 0..1: 0 is a clean clip, 1 is noise."""
    lot, even = torch.rand(count), torch.rand(count)
    high = 1 - 0.3 * even.square()
    gathered = shifted(torch.sigmoid(torch.randn(count)))
    return torch.where(lot < HIGH_SHARE, high, torch.where(lot < HIGH_SHARE + EVEN_SHARE, even, gathered))


def velocity_loss(denoiser: Denoiser, data: CaptionedClips, batch: int = BATCH) -> Tensor:
    """Mean squared error of the predicted velocity, noise minus clean latents, for one batch."""
    latents, ids = data.batch(batch, UNCONDITIONAL_SHARE)
    sigmas = random_sigmas(batch)
    noise = torch.randn_like(latents)
    share = sigmas[:, None, None, None, None]
    with torch.autocast("cpu", dtype=torch.bfloat16):
        output = denoiser.predict((1 - share) * latents + share * noise, 1000 * sigmas, denoiser.embed(ids))
    return (output.float() - (noise - latents)).square().mean()


class Optimisers:
    """Muon for the matrices inside the blocks, AdamW for everything else; one rate factor for both.

    Muon takes a quarter more time per step and learns rare words' looks in far fewer steps.
    """

    def __init__(self, denoiser: Denoiser) -> None:
        matrices = [p for p in denoiser.transformer.blocks.parameters() if p.ndim == 2]
        chosen = {id(p) for p in matrices}
        others = [p for p in denoiser.parameters() if id(p) not in chosen]
        self._muon = torch.optim.Muon(matrices, MUON_RATE, weight_decay=0.01, adjust_lr_fn="match_rms_adamw")
        self._adam = torch.optim.AdamW(others, PEAK_RATE, betas=(0.9, 0.99), weight_decay=0.01, fused=True)

    def step(self, factor: float) -> None:
        """One step at `factor` times the peak rates; then the gradients are dropped."""
        for optimiser, rate in ((self._muon, MUON_RATE), (self._adam, PEAK_RATE)):
            optimiser.param_groups[0]["lr"] = rate * factor
            optimiser.step()
            optimiser.zero_grad()

    def state_dict(self) -> dict:
        return {"muon": self._muon.state_dict(), "adam": self._adam.state_dict()}

    def load_state_dict(self, state: dict) -> None:
        self._muon.load_state_dict(state["muon"])
        self._adam.load_state_dict(state["adam"])


def train_denoiser(denoiser: Denoiser, data: CaptionedClips, checkpoint: Path, progress: Progress) -> None:
    """Trains to STEPS, resuming from `checkpoint`, which also holds the averaged weights that ship."""
    torch.manual_seed(50)
    ema = Ema(denoiser.parameters(), limit=EMA_LIMIT)
    optimisers = Optimisers(denoiser)
    step = load_checkpoint(checkpoint, model=denoiser, ema=ema, optimiser=optimisers)
    data.restart(step)
    if step == 0:
        warm_up_text(denoiser, data)
        ema = Ema(denoiser.parameters(), limit=EMA_LIMIT)
    while step < STEPS:
        loss = velocity_loss(denoiser, data)
        loss.backward()
        nn.utils.clip_grad_norm_(denoiser.parameters(), 1.0)
        optimisers.step(cosine_rate(step, STEPS, warm_up=100, constant_until=0.64))
        ema.update()
        step += 1
        progress.report("video denoiser", step, STEPS, BATCH, loss=loss.item())
        if progress.checkpoint_due() or step == STEPS:
            save_checkpoint(checkpoint, step, model=denoiser, ema=ema, optimiser=optimisers)
