"""How good tiny-wan is: what the classifier sees in drawn originals, in round trips and in clips from captions."""

from __future__ import annotations

import random
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from train.scenes import Artist
from train.wan import vae
from train.wan.captions import full_caption, other_caption
from train.wan.clips import CAST, MOTIONS, Animator, Clip
from train.wan.pipeline import ExportedWan

from .classifiers import CLIP_FILE, ExportedClassifier
from .clip_classifier import clip_labels

SEED = 2000
SAMPLES_PER_BATCH = 8
OTHER_WORDINGS = 48
"""How many clips are asked for a second time in other words."""

_SHOWN = (0, 4, 8, 12, 16)


def held_out_clips(artist: Artist) -> list[Clip]:
    """Each subject in each motion on the background that training never showed with it, in random order."""
    clips = [
        Clip(subject, motion, artist.backgrounds(subject, held_out=True)[0]) for subject in CAST for motion in MOTIONS
    ]
    random.Random("held-out clips").shuffle(clips)
    return clips


def draw(model: ExportedWan, captions: list[str], seed: int = SEED) -> np.ndarray:
    """One clip per caption, uint8 [B, 17, 96, 96, 3]."""
    starts = range(0, len(captions), SAMPLES_PER_BATCH)
    return np.concatenate([model.clips(captions[i : i + SAMPLES_PER_BATCH], seed + i) for i in starts])


@torch.no_grad()
def round_trips(weights: Path, originals: list[np.ndarray]) -> np.ndarray:
    """Clips behind the autoencoder."""
    autoencoder = vae.build_vae().eval().requires_grad_(False)
    autoencoder.load_state_dict(torch.load(weights, weights_only=True))
    videos = []
    for start in range(0, len(originals), 4):
        decoded = vae.decode(autoencoder, vae.encode_mean(autoencoder, vae.to_tensor(originals[start : start + 4])))
        videos.append(((decoded.clamp(-1, 1) + 1) * 127.5).round().byte().permute(0, 2, 3, 4, 1).numpy())
    return np.concatenate(videos)


def _rates(classifier: ExportedClassifier, clips: list[Clip], videos: np.ndarray) -> dict[str, object]:
    seen = classifier.seen(videos)
    right = {name: seen[name] == numbers for name, numbers in clip_labels(clips).items()}
    rates = {name: round(100 * float(hits.mean()), 1) for name, hits in right.items()}
    per_motion = {}
    for motion in MOTIONS:
        of_motion = [k for k, clip in enumerate(clips) if clip.motion == motion]
        per_motion[motion] = {
            name: f"{int(right[name][of_motion].sum())}/{len(of_motion)}" for name in ("subject", "motion")
        }
    wrong = [
        f"{full_caption(clip)}: {full_caption(Clip(CAST[subject], MOTIONS[motion], clip.background))}"
        for clip, subject, motion in zip(clips, seen["subject"], seen["motion"], strict=True)
        if (CAST[subject], MOTIONS[motion]) != (clip.subject, clip.motion)
    ]
    return {"count": len(clips), **rates, "per_motion": per_motion, "wrong": wrong}


def evaluate_clips(folder: Path, artist: Artist, work: Path, count: int | None, sheet: Path | None) -> dict:
    """Figures of an exported folder on held-out captions, beside those of originals and of round trips."""
    classifier = ExportedClassifier(CLIP_FILE)
    animator, model = Animator(artist), ExportedWan(folder)
    clips = held_out_clips(artist)[:count]
    again = clips[: min(OTHER_WORDINGS, len(clips))]
    originals = [animator.render(clip) for clip in clips]
    figures = {"drawn originals": _rates(classifier, clips, np.stack(originals))}
    if (work / "vae-polished.pt").exists():
        trips = round_trips(work / "vae-polished.pt", originals)
        figures["round trips through the autoencoder"] = _rates(classifier, clips, trips)
    plain = draw(model, [full_caption(clip) for clip in clips])
    figures["clips from captions"] = _rates(classifier, clips, plain)
    other = draw(model, [other_caption(clip) for clip in again], SEED + 1000)
    figures["clips from captions in other words"] = _rates(classifier, again, other)
    if sheet:
        save_sheet(clips, plain, sheet)
    return figures


def save_sheet(clips: list[Clip], videos: np.ndarray, path: Path) -> None:
    """Five frames of one clip of each subject, motions taking turns, two clips to a row; and a moving WebP of all."""
    chosen = []
    for turn, subject in enumerate(CAST):
        wanted = MOTIONS[turn % len(MOTIONS)]
        chosen += [videos[k] for k, clip in enumerate(clips) if (clip.subject, clip.motion) == (subject, wanted)]
    strips = [np.concatenate([video[k] for k in _SHOWN], axis=1) for video in chosen]
    rows = [np.concatenate(strips[i : i + 2], axis=1) for i in range(0, len(strips) - 1, 2)]
    Image.fromarray(np.concatenate(rows)).quantize(256, dither=Image.Dither.NONE).save(path, optimize=True)
    grid = [np.concatenate(chosen[i : i + 5], axis=2) for i in range(0, len(chosen) - 4, 5)]
    frames = [Image.fromarray(frame) for frame in np.concatenate(grid, axis=1)]
    frames[0].save(path.with_suffix(".webp"), save_all=True, append_images=frames[1:], duration=125, loop=0, quality=80)
