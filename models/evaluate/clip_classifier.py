"""An independent small network that names subject, motion and background of a clip, to put figures on samples."""

from __future__ import annotations

import random
from itertools import pairwise
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from train.export import export_graph, round_to_half
from train.scenes import BACKGROUNDS, SUBJECTS, Artist
from train.training import Progress, cosine_rate
from train.wan.clips import CANVAS, CAST, FRAMES, MOTIONS, Animator, Clip, draw_clip
from train.wan.vae import to_tensor

STEPS = 700
BATCH = 12
POOL = 1600
_SEEN = tuple(range(0, FRAMES, 2))
"""Every second frame is looked at."""

CLASSES: dict[str, list[str]] = {
    "subject": [SUBJECTS[number].icon for number in CAST],
    "motion": list(MOTIONS),
    "background": list(BACKGROUNDS),
}
"""What the numbers of a score's last axis stand for."""


class ClipClassifier(nn.Module):
    """Clips [B, 3, 17, 96, 96] in -1..1 -> scores of the subjects, motions and backgrounds."""

    def __init__(self) -> None:
        super().__init__()
        widths = (20, 40, 72, 112)
        self.stem = nn.Conv2d(3, widths[0], 3, padding=1)
        self.stages = nn.ModuleList([nn.Conv2d(a, b, 3, stride=2, padding=1) for a, b in pairwise(widths)])
        self.refine = nn.ModuleList([nn.Conv2d(b, b, 3, padding=1) for b in widths[1:]])
        self.norms = nn.ModuleList([nn.GroupNorm(4, b) for b in widths[1:] for _ in range(2)])
        self.subject = nn.Linear(2 * widths[-1], len(CAST))
        self.background = nn.Linear(2 * widths[-1], len(BACKGROUNDS))
        self.place = nn.Linear(36 * widths[-1], 48)
        self.motion = nn.Sequential(nn.Linear(48 * len(_SEEN), 64), nn.SiLU(), nn.Linear(64, len(MOTIONS)))

    def forward(self, clips: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        frames = clips[:, :, list(_SEEN)].transpose(1, 2).flatten(0, 1)
        x = self.stem(F.avg_pool2d(frames, 2))
        for i, (stage, refine) in enumerate(zip(self.stages, self.refine, strict=True)):
            x = F.silu(self.norms[2 * i](stage(x)))
            x = x + F.silu(self.norms[2 * i + 1](refine(x)))
        x = x.float()
        pooled = torch.cat([x.mean((2, 3)), x.amax((2, 3))], dim=1).unflatten(0, (-1, len(_SEEN))).mean(1)
        places = F.silu(self.place(x.flatten(1))).unflatten(0, (-1, len(_SEEN))).flatten(1)
        return self.subject(pooled), self.motion(places), self.background(pooled)


class ClipGraph(nn.Module):
    """Pixels in, scores out."""

    def __init__(self, network: ClipClassifier) -> None:
        super().__init__()
        self.network = network

    def forward(self, clips: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        return self.network(clips.permute(0, 4, 1, 2, 3).float() / 127.5 - 1)


def export_clip_classifier(network: ClipClassifier, path: Path) -> float:
    """Writes the graph: `clips` uint8 [B, 17, 96, 96, 3] -> scores `subject` [B, 20], `motion` [B, 8] and `background`
    [B, 12]. Returns the largest difference to torch."""
    round_to_half(network)
    torch.manual_seed(61)
    clips = torch.randint(256, (3, FRAMES, CANVAS, CANVAS, 3), dtype=torch.uint8)
    batch = {0: "batch_size"}
    return export_graph(ClipGraph(network), {"clips": (clips, batch)}, dict.fromkeys(CLASSES, batch), path)


def clip_labels(clips: list[Clip]) -> dict[str, np.ndarray]:
    """Class numbers of subject, motion and background."""
    return {
        "subject": np.array([CAST.index(clip.subject) for clip in clips]),
        "motion": np.array([MOTIONS.index(clip.motion) for clip in clips]),
        "background": np.array([CLASSES["background"].index(clip.background) for clip in clips]),
    }


def _worn(batch: Tensor) -> Tensor:
    """Blurs, tints and grains half of the clips, so that softness alone does not mislead the classifier."""
    count, _, frames = batch.shape[:3]
    edge = random.choice([24, 32, 48])
    soft = F.interpolate(batch.transpose(1, 2).flatten(0, 1), size=(edge, edge), mode="area")
    soft = F.interpolate(soft, size=batch.shape[-2:], mode="bilinear").unflatten(0, (count, frames)).transpose(1, 2)
    batch = torch.where(torch.rand(count, 1, 1, 1, 1) < 0.4, soft, batch)
    tint = 1 + 0.1 * torch.randn(count, 3, 1, 1, 1)
    grain = 0.06 * torch.rand(count, 1, 1, 1, 1) * torch.randn_like(batch)
    return batch * tint + 0.05 * torch.randn(count, 3, 1, 1, 1) + grain


def train_clip_classifier(artist: Artist) -> ClipClassifier:
    """Trains on renders alone, never on samples."""
    torch.manual_seed(60)
    random.seed(60)
    network = ClipClassifier()
    lots, animator = random.Random("clip classifier"), Animator(artist)
    clips = [draw_clip(artist, lots) for _ in range(POOL)]
    videos = [animator.render(clip) for clip in clips]
    labels = [torch.from_numpy(numbers) for numbers in clip_labels(clips).values()]
    optimiser = torch.optim.AdamW(network.parameters(), 2e-3, weight_decay=0.02, foreach=True)
    progress = Progress(None, every=100)
    for step in range(STEPS):
        picked = torch.randint(POOL, (BATCH,))
        with torch.autocast("cpu", dtype=torch.bfloat16):
            outputs = network(_worn(to_tensor([videos[i] for i in picked.tolist()])))
        losses = [F.cross_entropy(o.float(), wanted[picked]) for o, wanted in zip(outputs, labels, strict=True)]
        loss = losses[0] + losses[1] + 0.3 * losses[2]
        optimiser.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(network.parameters(), 2.0)
        optimiser.param_groups[0]["lr"] = 2e-3 * cosine_rate(step, STEPS, warm_up=50, constant_until=0.2)
        optimiser.step()
        progress.report("clip classifier", step + 1, STEPS, BATCH, loss=loss.item())
    return network.eval()
