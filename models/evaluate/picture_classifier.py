"""An independent small network that names subject, background and position of a picture, to put figures on samples."""

from __future__ import annotations

import random
from itertools import pairwise
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image, ImageFilter
from torch import Tensor, nn
from train.export import export_graph, round_to_half
from train.scenes import BACKGROUNDS, CANVAS, POSITIONS, SUBJECTS, Artist, Scene, single
from train.training import Progress, cosine_rate
from train.vae import to_tensor

STEPS = 900
BATCH = 48
POOL = 6000
PLACED_SHARE = 0.4
"""Scenes that are put at a position, beyond those that the model's own training puts there."""
CLASSES: dict[str, list[str]] = {
    "subject": [subject.icon for subject in SUBJECTS],
    "background": list(BACKGROUNDS),
    "position": list(POSITIONS),
}
"""What the numbers of a score's last axis stand for."""


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


class PictureClassifier(nn.Module):
    """Pictures [B, 3, 128, 128] in -1..1 -> scores of the subjects (icons), backgrounds and positions."""

    def __init__(self) -> None:
        super().__init__()
        widths = (24, 48, 96, 160)
        self.stem = nn.Conv2d(3, widths[0], 3, padding=1)
        self.stages = nn.Sequential(*(_Stage(a, b) for a, b in pairwise(widths)))
        self.subject = nn.Linear(2 * widths[-1], len(SUBJECTS))
        self.background = nn.Linear(2 * widths[-1], len(CLASSES["background"]))
        self.position = nn.Linear(widths[-1] * 64, len(CLASSES["position"]))

    def forward(self, pictures: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        features = self.stages(self.stem(F.avg_pool2d(pictures, 2))).float()
        pooled = torch.cat([features.mean((2, 3)), features.amax((2, 3))], dim=1)
        return self.subject(pooled), self.background(pooled), self.position(features.flatten(1))


def halves(pictures: Tensor) -> Tensor:
    """Pictures of pairs [B, H, W, 3] in 0..255 -> [B, 2, H, W, 3]: each half in the middle of the picture's own ground.

    The ground is the median, per colour, of the upper and the lower four rows.
    """
    width = pictures.shape[2]
    border = torch.cat([pictures[:, :4], pictures[:, -4:]], dim=1).flatten(1, 2)
    middle = border.shape[1] // 2
    ground = border.topk(middle + 1, dim=1).values[:, middle - 1 :].mean(1).floor()
    margin = ground[:, None, None].expand(-1, pictures.shape[1], width // 4, -1)
    sides = pictures[:, :, : width // 2], pictures[:, :, width // 2 :]
    return torch.stack([torch.cat([margin, side, margin], dim=2) for side in sides], dim=1)


class PictureGraph(nn.Module):
    """Pixels in, scores out: what a program must do to its pictures before the network sees them is in the graph."""

    def __init__(self, network: PictureClassifier) -> None:
        super().__init__()
        self.network = network

    def forward(self, pictures: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        pixels = pictures.float()
        subject, background, position = self._look(pixels)
        half_subjects, _, _ = self._look(halves(pixels).flatten(0, 1))
        return subject, background, position, half_subjects.unflatten(0, (-1, 2))

    def _look(self, pixels: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        return self.network(pixels.permute(0, 3, 1, 2) / 127.5 - 1)


def export_picture_classifier(network: PictureClassifier, path: Path) -> float:
    """Writes the graph: `pictures` uint8 [B, 128, 128, 3] -> scores `subject` [B, 46], `background` [B, 12], `position`
    [B, 9] and, for pairs, `half_subjects` [B, 2, 46]. Returns the largest difference to torch."""
    round_to_half(network)
    torch.manual_seed(31)
    pictures = torch.randint(256, (3, CANVAS, CANVAS, 3), dtype=torch.uint8)
    batch = {0: "batch_size"}
    outputs = dict.fromkeys([*CLASSES, "half_subjects"], batch)
    return export_graph(PictureGraph(network), {"pictures": (pictures, batch)}, outputs, path)


def picture_labels(scenes: list[Scene]) -> dict[str, np.ndarray]:
    """Class numbers of single-subject scenes; without a position in the caption the subject is in the center."""
    return {
        "subject": np.array([scene.items[0].subject for scene in scenes]),
        "background": np.array([CLASSES["background"].index(scene.background) for scene in scenes]),
        "position": np.array([CLASSES["position"].index(scene.position or "center") for scene in scenes]),
    }


def _draw_scene(artist: Artist, lots: random.Random) -> Scene:
    """A scene of one subject; the background kept back for it never occurs."""
    scene = artist.draw_lots(lots, pair_share=0.0)
    if lots.random() >= PLACED_SHARE:
        return scene
    position, size = lots.choice(CLASSES["position"]), lots.choice([None, "small"])
    return single(lots, scene.items[0].subject, scene.background, size, position)


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


def train_picture_classifier(artist: Artist) -> PictureClassifier:
    """Trains on renders alone, never on samples."""
    torch.manual_seed(30)
    network = PictureClassifier()
    lots = random.Random("classifier")
    scenes = [_draw_scene(artist, lots) for _ in range(POOL)]
    pictures = to_tensor([_worn(lots, artist.render(scene)) for scene in scenes])
    labels = {name: torch.from_numpy(numbers) for name, numbers in picture_labels(scenes).items()}
    optimiser = torch.optim.AdamW(network.parameters(), 2e-3, weight_decay=0.02, foreach=True)
    progress = Progress(None, every=100)
    for step in range(STEPS):
        picked = torch.randint(POOL, (BATCH,))
        batch = pictures[picked] * (1 + 0.1 * torch.randn(BATCH, 3, 1, 1)) + 0.1 * torch.randn(BATCH, 3, 1, 1)
        batch = batch + 0.06 * torch.rand(BATCH, 1, 1, 1) * torch.randn_like(batch)
        with torch.autocast("cpu", dtype=torch.bfloat16):
            subject, background, position = network(batch)
        loss = (
            F.cross_entropy(subject.float(), labels["subject"][picked])
            + 0.3 * F.cross_entropy(background.float(), labels["background"][picked])
            + 0.3 * F.cross_entropy(position.float(), labels["position"][picked])
        )
        optimiser.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(network.parameters(), 2.0)
        optimiser.param_groups[0]["lr"] = 2e-3 * cosine_rate(step, STEPS, warm_up=50, constant_until=0.2)
        optimiser.step()
        progress.report("classifier", step + 1, STEPS, BATCH, loss=loss.item())
    return network.eval()
