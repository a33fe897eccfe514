"""What CI paints: a few held-out captions with their seeds, and drawn originals with the scores that they must get."""

from __future__ import annotations

import gzip
import json
import random
from pathlib import Path

import numpy as np
from train.captions import full_caption as picture_caption
from train.scenes import POSITIONS, SUBJECTS, Artist, Scene
from train.wan.captions import full_caption as clip_caption
from train.wan.clips import CAST, MOTIONS, Animator, Clip

from . import clip_classifier, picture_classifier
from .classifiers import CLIP_FILE, PICTURE_FILE, ExportedClassifier
from .clips import held_out_clips
from .pictures import pair_scenes, placed_scenes, plain_scenes

FOLDER = Path(__file__).with_name("sample")
SEED = 3000
PLAIN, PAIRS = 8, 4
PLACES = [position for position in POSITIONS if position != "center"]


def sample_scenes(artist: Artist) -> tuple[list[Scene], list[Scene]]:
    """Scenes of one subject, first plain ones, then one at each position beside the center; and pairs.

    All are drawn by lot from the evaluation's; no subject stands alone twice.
    """
    lots = random.Random("ci pictures")
    singles = lots.sample(plain_scenes(artist), PLAIN)
    for position in PLACES:
        used = {scene.items[0].subject for scene in singles}
        placed = [scene for scene in placed_scenes(artist) if scene.position == position]
        singles.append(lots.choice([scene for scene in placed if scene.items[0].subject not in used]))
    return singles, lots.sample(pair_scenes(artist), PAIRS)


def sample_clips(artist: Artist) -> list[Clip]:
    """One clip of each motion, no two of the same subject, drawn by lot from the evaluation's."""
    lots = random.Random("ci clips")
    wanted = set(zip(lots.sample(CAST, len(MOTIONS)), MOTIONS, strict=True))
    return [clip for clip in held_out_clips(artist) if (clip.subject, clip.motion) in wanted]


def _named(classes: dict[str, list[str]], labels: dict[str, np.ndarray], index: int) -> dict[str, str]:
    return {name: classes[name][numbers[index]] for name, numbers in labels.items()}


def _drawn(name: str, pixels: np.ndarray, classifier: Path) -> dict[str, object]:
    """Writes the pixels of drawn originals and the scores that they get; returns how to read them."""
    files = {"pixels": f"{name}.rgb.gz", "scores": f"{name}-scores.json"}
    (FOLDER / files["pixels"]).write_bytes(gzip.compress(pixels.tobytes(), mtime=0))
    scores = ExportedClassifier(classifier).scores(pixels)
    rounded = {question: np.round(values, 3).tolist() for question, values in scores.items()}
    (FOLDER / files["scores"]).write_text(json.dumps(rounded) + "\n", "utf8")
    return files | {"shape": list(pixels.shape)}


def write_sample(artist: Artist) -> None:
    """Writes the folder; the classifiers must be there."""
    FOLDER.mkdir(exist_ok=True)
    singles, pairs = sample_scenes(artist)
    clips = sample_clips(artist)
    single_labels, clip_labels = picture_classifier.picture_labels(singles), clip_classifier.clip_labels(clips)
    sample = {
        "pictures": {
            "classes": picture_classifier.CLASSES,
            "singles": [
                {"caption": picture_caption(scene), "seed": SEED + k}
                | _named(picture_classifier.CLASSES, single_labels, k)
                for k, scene in enumerate(singles)
            ],
            "pairs": [
                {
                    "caption": picture_caption(scene),
                    "seed": SEED + 100 + k,
                    "subjects": [SUBJECTS[item.subject].icon for item in scene.items],
                }
                for k, scene in enumerate(pairs)
            ],
            # The first of the placed ones and the first pair.
            "drawn": _drawn(
                "drawn-pictures",
                np.stack([artist.render(scene) for scene in (singles[PLAIN], pairs[0])]),
                PICTURE_FILE,
            ),
        },
        "clips": {
            "classes": clip_classifier.CLASSES,
            "clips": [
                {"caption": clip_caption(clip), "seed": SEED + 200 + k}
                | _named(clip_classifier.CLASSES, clip_labels, k)
                for k, clip in enumerate(clips)
            ],
            # The first of them.
            "drawn": _drawn("drawn-clips", Animator(artist).render(clips[0])[None], CLIP_FILE),
        },
    }
    (FOLDER / "sample.json").write_text(json.dumps(sample, indent=1, ensure_ascii=False) + "\n", "utf8")
