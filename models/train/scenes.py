"""What a training picture shows: one subject or a pair on a flat background, and how such scenes are drawn by lot."""

from __future__ import annotations

import random
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
from PIL import Image

CANVAS = 128
"""Edge of a training picture in pixels."""

CELL = 8
"""Pixels per latent cell. Icons snap to this grid, because every other offset doubles the shapes to be learnt."""

BACKGROUNDS: dict[str, tuple[int, int, int]] = {
    "red": (214, 48, 49),
    "orange": (243, 146, 55),
    "yellow": (250, 214, 80),
    "green": (64, 168, 88),
    "blue": (52, 98, 214),
    "cyan": (120, 210, 235),
    "purple": (136, 72, 176),
    "pink": (250, 160, 195),
    "brown": (128, 84, 54),
    "black": (24, 24, 28),
    "white": (248, 248, 248),
    "gray": (140, 144, 150),
}

POSITIONS: dict[str, tuple[int, int]] = {
    "top left": (-1, -1),
    "top": (0, -1),
    "top right": (1, -1),
    "left": (-1, 0),
    "center": (0, 0),
    "right": (1, 0),
    "bottom left": (-1, 1),
    "bottom": (0, 1),
    "bottom right": (1, 1),
}

PLAIN_EDGE, LARGE_EDGE, PLACED_EDGE, SMALL_EDGE = 96, 112, 72, 56


@dataclass(frozen=True)
class Subject:
    """One icon and the words that name it."""

    icon: str
    noun: str
    adjective: str | None
    adjective_required: bool
    share: float
    other_nouns: tuple[str, ...]


@dataclass(frozen=True)
class Item:
    """One icon on the canvas; `left`, `top` and `edge` are pixels."""

    subject: int
    edge: int
    left: int
    top: int


@dataclass(frozen=True)
class Scene:
    """One picture: its items from left to right and what a caption may say about it."""

    items: tuple[Item, ...]
    background: str
    size: str | None = None
    position: str | None = None


def read_subjects(path: Path) -> list[Subject]:
    """Reads subjects.txt; its first line says what the columns are."""
    subjects = []
    for line in path.read_text("utf8").splitlines():
        if not line or line.startswith("#"):
            continue
        icon, noun, adjective, share, others = line.split("|")
        required = adjective.endswith("!")
        word = None if adjective == "-" else adjective.rstrip("!")
        subjects.append(Subject(icon, noun, word, required, float(share), tuple(filter(None, others.split(",")))))
    return subjects


SUBJECTS = read_subjects(Path(__file__).with_name("subjects.txt"))
NOUNS = list(dict.fromkeys(subject.noun for subject in SUBJECTS))


class Artist:
    """Draws scenes by lot and renders them from a folder of rasterised icons."""

    def __init__(self, icon_folder: Path) -> None:
        # Premultiplied alpha ("RGBa") keeps the hidden colour of transparent pixels out of resized edges.
        self._icons = [Image.open(icon_folder / f"{s.icon}.png").convert("RGBa") for s in SUBJECTS]
        self.sprite = cache(self._resize)
        self._backgrounds = [self._readable_backgrounds(i) for i in range(len(SUBJECTS))]

    def _resize(self, subject: int, edge: int) -> Image.Image:
        return self._icons[subject].resize((edge, edge), Image.Resampling.LANCZOS).convert("RGBA")

    def icon(self, subject: int) -> Image.Image:
        """The icon as it was rasterised, with premultiplied alpha."""
        return self._icons[subject]

    def _readable_backgrounds(self, subject: int) -> list[str]:
        """Backgrounds against which the icon can be seen: less than 60 % of its pixels are of nearly that colour."""
        pixels = np.asarray(self.sprite(subject, 64), np.float32).reshape(-1, 4)
        pixels = pixels[pixels[:, 3] > 127, :3]
        names = []
        for name, colour in BACKGROUNDS.items():
            distance = np.linalg.norm(pixels - np.array(colour, np.float32), axis=1)
            if (distance < 64).mean() < 0.6:
                names.append(name)
        return names

    def backgrounds(self, subject: int, held_out: bool) -> list[str]:
        """Readable backgrounds of a subject: those of training, or the one kept back to test new combinations."""
        readable = self._backgrounds[subject]
        kept_back = readable[(7 * subject + 3) % len(readable)]
        return [kept_back] if held_out else [name for name in readable if name != kept_back]

    def draw_lots(self, lots: random.Random, pair_share: float = 0.08) -> Scene:
        """A random training scene: 62 % plain, 10 % with a size, 20 % with a position, `pair_share` pairs."""
        subject = self._pick_subject(lots)
        background = lots.choice(self.backgrounds(subject, held_out=False))
        if lots.random() < pair_share:
            other = self._pick_subject(lots)
            while other == subject or background not in self.backgrounds(other, held_out=False):
                other = self._pick_subject(lots)
            return pair(lots, subject, other, background)
        lot = lots.random()
        if lot < 0.68:
            return single(lots, subject, background)
        if lot < 0.79:
            return single(lots, subject, background, size=lots.choice(["small", "large"]))
        size = lots.choice([None, "small"])
        return single(lots, subject, background, size, lots.choice(list(POSITIONS)))

    def _pick_subject(self, lots: random.Random) -> int:
        return lots.choices(range(len(SUBJECTS)), [s.share for s in SUBJECTS])[0]

    def render(self, scene: Scene, background: tuple[int, int, int] | None = None) -> np.ndarray:
        """The picture of a scene, uint8 [128, 128, 3]; `background` replaces the scene's own colour."""
        canvas = Image.new("RGB", (CANVAS, CANVAS), background or BACKGROUNDS[scene.background])
        for item in scene.items:
            sprite = self.sprite(item.subject, item.edge)
            canvas.paste(sprite, (item.left, item.top), sprite)
        return np.asarray(canvas)


def single(
    lots: random.Random, subject: int, background: str, size: str | None = None, position: str | None = None
) -> Scene:
    """One subject. Plain ones stand in the middle, give or take one latent cell."""
    if size == "small":
        edge = SMALL_EDGE
    elif size == "large":
        edge = LARGE_EDGE
    else:
        edge = PLAIN_EDGE if position in (None, "center") else PLACED_EDGE
    across, down = POSITIONS[position or "center"]
    wander = position is None and edge == PLAIN_EDGE and lots.random() < 0.35
    left, top = (_offset(lots, edge, direction, wander) for direction in (across, down))
    return Scene((Item(subject, edge, left, top),), background, size, position)


def _offset(lots: random.Random, edge: int, direction: int, wander: bool) -> int:
    """Left or top edge in pixels for a direction of -1 (left, top), 0 (middle) or 1 (right, bottom)."""
    if direction != 0:
        return CELL if direction < 0 else CANVAS - CELL - edge
    slack = CANVAS - edge
    middle = slack // 2 // CELL * CELL
    if wander:
        return middle + lots.choice([-CELL, 0, CELL])
    # An odd number of free cells has no middle cell: either neighbour will do.
    return middle if slack // CELL % 2 == 0 else middle + lots.choice([0, CELL])


def pair(lots: random.Random, left: int, right: int, background: str) -> Scene:
    """Two subjects side by side."""
    top = lots.choice([32, 40])
    return Scene((Item(left, SMALL_EDGE, CELL, top), Item(right, SMALL_EDGE, CANVAS // 2, top)), background)
