"""An independent small network that names subject, background and position of a picture, to put figures on samples."""

from __future__ import annotations

import random
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image, ImageFilter
from torch import Tensor, nn

from train.scenes import BACKGROUNDS, CANVAS, POSITIONS, SUBJECTS, Artist, Scene
from train.training import Progress, cosine_rate
from train.vae import to_tensor

STEPS = 900
BATCH = 48
POOL = 6000
_COLOURS, _PLACES = list(BACKGROUNDS), list(POSITIONS)


class _Stage(nn.Module):
    """Halves the edge; a residual convolution behind a strided one."""

    def __init__(self, channels_in: int, channels_out: int) -> None:
        super().__init__()
        self.reduce = nn.Conv2d(channels_in, channels_out, 3, stride=2, padding=1)
        self.refine = nn.Conv2d(channels_out, channels_out, 3, padding=1)
        self.norms = nn.ModuleList([nn.GroupNorm(8, channels_out), nn.GroupNorm(8, channels_out)])

    def forward(self, x: Tensor) -> Tensor:
        x = F.silu(self.norms[0](self.reduce(x)))
        return x + F.silu(self.norms[1](self.refine(x)))


class Classifier(nn.Module):
    """Pictures [B, 3, 128, 128] in -1..1 -> scores of the subjects (icons), backgrounds and positions."""

    def __init__(self) -> None:
        super().__init__()
        widths = (24, 48, 96, 160)
        self.stem = nn.Conv2d(3, widths[0], 3, padding=1)
        self.stages = nn.Sequential(*(_Stage(a, b) for a, b in pairwise(widths)))
        self.subject = nn.Linear(2 * widths[-1], len(SUBJECTS))
        self.background = nn.Linear(2 * widths[-1], len(_COLOURS))
        self.position = nn.Linear(widths[-1] * 64, len(_PLACES))

    def forward(self, pictures: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        features = self.stages(self.stem(F.avg_pool2d(pictures, 2))).float()
        pooled = torch.cat([features.mean((2, 3)), features.amax((2, 3))], dim=1)
        return self.subject(pooled), self.background(pooled), self.position(features.flatten(1))


@dataclass(frozen=True)
class Labels:
    """What single-subject scenes show, as class numbers."""

    subject: Tensor
    background: Tensor
    position: Tensor


def labels_of(scenes: list[Scene]) -> Labels:
    """Labels of single-subject scenes; without a position in the caption the subject is in the center."""
    return Labels(
        torch.tensor([scene.items[0].subject for scene in scenes]),
        torch.tensor([_COLOURS.index(scene.background) for scene in scenes]),
        torch.tensor([_PLACES.index(scene.position or "center") for scene in scenes]),
    )


def _worn(lots: random.Random, picture: np.ndarray) -> np.ndarray:
    """Blurs some pictures, so that softness alone does not mislead the classifier."""
    lot = lots.random()
    if lot < 0.4:
        return np.asarray(Image.fromarray(picture).filter(ImageFilter.GaussianBlur(lots.uniform(0.3, 2.0))))
    if lot < 0.55:
        edge = lots.choice([40, 56, 72])
        small = Image.fromarray(picture).resize((edge, edge), Image.Resampling.BILINEAR)
        return np.asarray(small.resize((CANVAS, CANVAS), Image.Resampling.BICUBIC))
    return picture


def train_classifier(artist: Artist, path: Path) -> Classifier:
    """Trains on renders alone, never on samples; reads the weights from `path` where they exist."""
    torch.manual_seed(30)
    network = Classifier()
    if path.exists():
        network.load_state_dict(torch.load(path, weights_only=True))
        return network.eval()
    lots = random.Random("classifier")
    scenes = [artist.draw_lots(lots, pair_share=0.0) for _ in range(POOL)]
    pictures = to_tensor([_worn(lots, artist.render(scene)) for scene in scenes])
    labels = labels_of(scenes)
    optimiser = torch.optim.AdamW(network.parameters(), 2e-3, weight_decay=0.02, foreach=True)
    progress = Progress(None, every=100)
    for step in range(STEPS):
        picked = torch.randint(POOL, (BATCH,))
        batch = pictures[picked] * (1 + 0.1 * torch.randn(BATCH, 3, 1, 1)) + 0.05 * torch.randn(BATCH, 3, 1, 1)
        batch = batch + 0.06 * torch.rand(BATCH, 1, 1, 1) * torch.randn_like(batch)
        with torch.autocast("cpu", dtype=torch.bfloat16):
            subject, background, position = network(batch)
        loss = (
            F.cross_entropy(subject.float(), labels.subject[picked])
            + 0.3 * F.cross_entropy(background.float(), labels.background[picked])
            + 0.3 * F.cross_entropy(position.float(), labels.position[picked])
        )
        optimiser.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(network.parameters(), 2.0)
        optimiser.param_groups[0]["lr"] = 2e-3 * cosine_rate(step, STEPS, warm_up=50, constant_until=0.2)
        optimiser.step()
        progress.report("classifier", step + 1, STEPS, BATCH, loss=loss.item())
    torch.save(network.state_dict(), path)
    return network.eval()


@torch.no_grad()
def score(network: Classifier, scenes: list[Scene], pictures: np.ndarray) -> dict[str, Tensor]:
    """Per picture (uint8 [B, 128, 128, 3]): are subject, background and position right, and which subject is seen?"""
    images = to_tensor(list(pictures))
    outputs = [network(images[i : i + 64]) for i in range(0, len(images), 64)]
    seen = [torch.cat(parts).argmax(1) for parts in zip(*outputs, strict=True)]
    labels = labels_of(scenes)
    return {
        "subject": seen[0] == labels.subject,
        "background": seen[1] == labels.background,
        "position": seen[2] == labels.position,
        "seen": seen[0],
    }
