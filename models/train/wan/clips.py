"""What a training clip shows: one subject in one of eight motions on a flat background, and how clips are drawn."""

from __future__ import annotations

import random
from dataclasses import dataclass
from functools import cache

import numpy as np
from PIL import Image

from ..scenes import BACKGROUNDS, SUBJECTS, Artist

CANVAS = 96
"""Edge of a frame in pixels: 12 latent cells, 6 tokens."""

FRAMES = 17
"""4 k + 1 frames: 5 latent frames."""

EDGE = 64
"""Edge of the subject in pixels, where it neither grows nor shrinks."""

TRAVEL = 32
"""Way of a moving subject in pixels: 2 a frame, so one latent cell per latent frame."""

LEAP = 24
"""Height in pixels of the two leaps of a bouncing subject."""

TURN = 180
"""Degrees by which a spinning subject turns, clockwise: with more, the four frames of a latent one would blur."""

MOTIONS = ("left", "right", "up", "down", "bounce", "grow", "shrink", "spin")

ICONS = (
    "red-apple",
    "banana",
    "strawberry",
    "carrot",
    "cat-face",
    "fox",
    "panda",
    "frog",
    "penguin",
    "tropical-fish",
    "butterfly",
    "mushroom",
    "automobile",
    "rocket",
    "house",
    "star",
    "red-heart",
    "ghost",
    "robot",
    "crescent-moon",
)
"""The subjects: unlike each other, known by their outline, and none that looks the same when it turns."""

CAST = tuple(next(i for i, subject in enumerate(SUBJECTS) if subject.icon == icon) for icon in ICONS)
"""The subjects' numbers in SUBJECTS."""

_ASIDE = 8
"""Pixels by which a clip may stand beside the middle: one latent cell."""


@dataclass(frozen=True)
class Clip:
    """One clip: `subject` counts in SUBJECTS, `aside` is the offset in pixels across the motion."""

    subject: int
    motion: str
    background: str
    aside: int = 0


def placements(motion: str, aside: int) -> list[tuple[int, int, int, float]]:
    """Left, top and edge in pixels and the clockwise turn in degrees of the subject in each frame."""
    middle = (CANVAS - EDGE) // 2
    placed = []
    for k in range(FRAMES):
        left = top = middle
        edge, turn = EDGE, 0.0
        way = round(TRAVEL * k / (FRAMES - 1))
        if motion in ("left", "right"):
            left, top = (way if motion == "right" else TRAVEL - way), middle + aside
        elif motion in ("up", "down"):
            left, top = middle + aside, (way if motion == "down" else TRAVEL - way)
        elif motion == "bounce":
            # Two leaps along a parabola, each of eight frames.
            share = k % 8 / 8
            left, top = middle + aside, TRAVEL - round(LEAP * 4 * share * (1 - share))
        elif motion in ("grow", "shrink"):
            edge = 28 + 4 * (k if motion == "grow" else FRAMES - 1 - k)
            left = top = (CANVAS - edge) // 2
        elif motion == "spin":
            turn = TURN * k / (FRAMES - 1)
        else:
            raise ValueError(f'The motion "{motion}" is not one of {", ".join(MOTIONS)}.')
        placed.append((left, top, edge, turn))
    return placed


def draw_clip(artist: Artist, lots: random.Random, motions: tuple[str, ...] = MOTIONS) -> Clip:
    """A random training clip; the background kept back for its subject never occurs."""
    subject = lots.choice(CAST)
    motion = lots.choice(motions)
    still = motion in ("grow", "shrink", "spin")
    aside = 0 if still else lots.choice((0, 0, -_ASIDE, _ASIDE))
    return Clip(subject, motion, lots.choice(artist.backgrounds(subject, held_out=False)), aside)


def all_clips(artist: Artist) -> list[Clip]:
    """Every clip that training may show, each once."""
    clips = []
    for subject in CAST:
        for motion in MOTIONS:
            asides = (0,) if motion in ("grow", "shrink", "spin") else (0, -_ASIDE, _ASIDE)
            for background in artist.backgrounds(subject, held_out=False):
                clips += [Clip(subject, motion, background, aside) for aside in asides]
    return clips


class Animator:
    """Renders clips from an artist's icons."""

    def __init__(self, artist: Artist) -> None:
        self._artist = artist
        self._turned = cache(self._turn)

    def _turn(self, subject: int, degrees: float) -> Image.Image:
        """The icon turned clockwise on a transparent ground of the canvas's size."""
        icon = self._artist.icon(subject)
        edge = icon.width * CANVAS // EDGE
        ground = Image.new("RGBa", (edge, edge))
        ground.paste(icon, ((edge - icon.width) // 2,) * 2)
        turned = Image.merge("RGBa", [band.rotate(-degrees, Image.Resampling.BICUBIC) for band in ground.split()])
        return turned.resize((CANVAS, CANVAS), Image.Resampling.LANCZOS).convert("RGBA")

    def frame(self, clip: Clip, index: int, background: tuple[int, int, int] | None = None) -> np.ndarray:
        """One frame, uint8 [96, 96, 3]; `background` replaces the clip's own colour."""
        left, top, edge, turn = placements(clip.motion, clip.aside)[index]
        canvas = Image.new("RGB", (CANVAS, CANVAS), background or BACKGROUNDS[clip.background])
        if clip.motion == "spin":
            sprite, left, top = self._turned(clip.subject, turn), 0, 0
        else:
            sprite = self._artist.sprite(clip.subject, edge)
        canvas.paste(sprite, (left, top), sprite)
        return np.asarray(canvas)

    def render(self, clip: Clip, background: tuple[int, int, int] | None = None) -> np.ndarray:
        """All frames, uint8 [17, 96, 96, 3]."""
        return np.stack([self.frame(clip, index, background) for index in range(FRAMES)])
