"""How good tiny-sdxl is: what the classifier sees in drawn originals, in round trips and in pictures from captions."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from train import vae
from train.captions import full_caption
from train.pipeline import ExportedModel
from train.scenes import CANVAS, POSITIONS, SUBJECTS, Artist, Scene, pair, single

from .classifiers import PICTURE_FILE, ExportedClassifier
from .picture_classifier import picture_labels

SEED = 1000
SAMPLES_PER_BATCH = 16
SHEET_COLUMNS = 8
PLACES_PER_SUBJECT = 4
PAIRS = 80

Painter = Callable[[list[Scene]], np.ndarray]
"""Scenes -> uint8 pictures [B, 128, 128, 3]."""


def plain_scenes(artist: Artist) -> list[Scene]:
    """Each icon once, plain, on the background that training never showed with it."""
    lots = random.Random("plain")
    return [single(lots, i, artist.backgrounds(i, held_out=True)[0]) for i in range(len(SUBJECTS))]


def placed_scenes(artist: Artist, places: int = PLACES_PER_SUBJECT) -> list[Scene]:
    """Each icon at several positions, half of them small, on the background that was kept back."""
    lots = random.Random("placed")
    scenes = []
    for i in range(len(SUBJECTS)):
        background = artist.backgrounds(i, held_out=True)[0]
        for position in lots.sample(list(POSITIONS), places):
            scenes.append(single(lots, i, background, lots.choice([None, "small"]), position))
    return scenes


def pair_scenes(artist: Artist, count: int = PAIRS) -> list[Scene]:
    """Random pairs on a background that was kept back for at least one of the two."""
    lots = random.Random("pairs")
    scenes: list[Scene] = []
    while len(scenes) < count:
        left, right = lots.sample(range(len(SUBJECTS)), 2)
        background = artist.backgrounds(left, held_out=True)[0]
        readable = artist.backgrounds(right, held_out=False) + artist.backgrounds(right, held_out=True)
        if background in readable and SUBJECTS[left].noun != SUBJECTS[right].noun:
            scenes.append(pair(lots, left, right, background))
    return scenes


def model_painter(model: ExportedModel) -> Painter:
    """Paints scenes from their captions alone."""

    def paint(scenes: list[Scene]) -> np.ndarray:
        captions = [full_caption(scene) for scene in scenes]
        starts = range(0, len(captions), SAMPLES_PER_BATCH)
        return np.concatenate([model.pictures(captions[i : i + SAMPLES_PER_BATCH], SEED + i) for i in starts])

    return paint


def round_trip_painter(artist: Artist, weights: Path) -> Painter:
    """Draws scenes and sends them through the autoencoder."""
    autoencoder = vae.build_vae().eval().requires_grad_(False)
    autoencoder.load_state_dict(torch.load(weights, weights_only=True))

    def paint(scenes: list[Scene]) -> np.ndarray:
        pictures = vae.to_tensor([artist.render(scene) for scene in scenes])
        parts = [vae.decode(autoencoder, vae.encode_mean(autoencoder, part)) for part in pictures.split(16)]
        return ((torch.cat(parts).clamp(-1, 1) + 1) * 127.5).round().byte().permute(0, 2, 3, 1).numpy()

    return paint


def _pair_rates(classifier: ExportedClassifier, scenes: list[Scene], pictures: np.ndarray) -> dict[str, float]:
    """Percentages of pictures where both subjects, and of subjects that are right, order included."""
    wanted = np.array([[item.subject for item in scene.items] for scene in scenes])
    right = classifier.seen(pictures)["half_subjects"] == wanted
    return {"both": _percent(right.all(1)), "either": _percent(right)}


def _percent(hits: np.ndarray) -> float:
    return round(100 * float(hits.mean()), 1)


def _rates(classifier: ExportedClassifier, scenes: list[Scene], pictures: np.ndarray) -> dict[str, object]:
    seen, labels = classifier.seen(pictures), picture_labels(scenes)
    wrong = [
        f"{full_caption(scene)}: {SUBJECTS[number].icon}"
        for scene, number in zip(scenes, seen["subject"], strict=True)
        if number != scene.items[0].subject
    ]
    return {**{name: _percent(seen[name] == numbers) for name, numbers in labels.items()}, "wrong": wrong}


def evaluate_pictures(folder: Path, artist: Artist, work: Path, count: int | None, sheet: Path | None) -> dict:
    """Figures of an exported folder on held-out captions, beside those of originals and of round trips."""
    classifier = ExportedClassifier(PICTURE_FILE)
    sets = {"plain": plain_scenes(artist), "placed": placed_scenes(artist), "pairs": pair_scenes(artist)}
    sets = {
        name: random.Random(name).sample(scenes, min(len(scenes), count or len(scenes)))
        for name, scenes in sets.items()
    }
    painters: dict[str, Painter] = {"drawn originals": lambda scenes: np.stack([artist.render(s) for s in scenes])}
    if (work / "vae-final.pt").exists():
        painters["round trips through the autoencoder"] = round_trip_painter(artist, work / "vae-final.pt")
    painters["pictures from captions"] = model_painter(ExportedModel(folder))
    figures: dict[str, dict] = {}
    for source, paint in painters.items():
        painted = {name: paint(scenes) for name, scenes in sets.items()}
        for name in ("plain", "placed"):
            figures[f"{source}, {name}"] = {"count": len(sets[name])} | _rates(classifier, sets[name], painted[name])
        figures[f"{source}, pairs"] = {"count": len(sets["pairs"])} | _pair_rates(
            classifier, sets["pairs"], painted["pairs"]
        )
    if sheet:
        # Six rows of plain subjects, one of placed ones, one of pairs.
        plain, placed, pairs = (
            painted[name][: columns * SHEET_COLUMNS] for name, columns in (("plain", 6), ("placed", 1), ("pairs", 1))
        )
        save_sheet(np.concatenate([plain, painted["placed"][8 : 8 + 48 - len(plain)], placed, pairs]), sheet)
    return figures


def save_sheet(pictures: np.ndarray, path: Path) -> None:
    """Tiles pictures eight to a row into a PNG of 256 colours."""
    rows = len(pictures) // SHEET_COLUMNS
    tiles = pictures[: rows * SHEET_COLUMNS].reshape(rows, SHEET_COLUMNS, CANVAS, CANVAS, 3)
    sheet = tiles.transpose(0, 2, 1, 3, 4).reshape(rows * CANVAS, SHEET_COLUMNS * CANVAS, 3)
    Image.fromarray(sheet).quantize(256, dither=Image.Dither.NONE).save(path, optimize=True)
