"""The model card: what the model can draw, its sizes and defaults, and a linear preview of its latents."""

from __future__ import annotations

import random

import torch
import torch.nn.functional as F
from diffusers import AutoencoderKLWan

from ..scenes import BACKGROUNDS, SUBJECTS, Artist
from .captions import known_words
from .clips import CANVAS, CAST, FRAMES, Animator, draw_clip
from .diffusion import Pool
from .vae import encode_mean, to_tensor

VERSION = "1.0.0"
SIZE_MULTIPLE = 16
"""8 pixels per latent cell, two cells per token."""

MOTION_WORDS = (
    "moving left",
    "moving right",
    "moving up",
    "moving down",
    "bouncing",
    "growing",
    "shrinking",
    "spinning",
)


@torch.no_grad()
def preview_factors(vae: AutoencoderKLWan, artist: Artist, pool: Pool) -> dict[str, list]:
    """Least-squares map from a normalised latent cell to the mean colour (0..1) of the last frame that it encodes."""
    lots, animator = random.Random("video preview"), Animator(artist)
    clips = to_tensor([animator.render(draw_clip(artist, lots)) for _ in range(24)])
    encoded = torch.cat([encode_mean(vae, clips[i : i + 4]) for i in range(0, 24, 4)])
    latents = (encoded - pool.mean[:, None, None, None]) / pool.deviation[:, None, None, None]
    frames = clips[:, :, ::4].transpose(1, 2).flatten(0, 1)
    colours = F.avg_pool2d(frames, 8).permute(0, 2, 3, 1).reshape(-1, 3) / 2 + 0.5
    cells = latents.permute(0, 2, 3, 4, 1).reshape(len(colours), -1)
    solution = torch.linalg.lstsq(torch.cat([cells, torch.ones(len(cells), 1)], dim=1), colours).solution
    rounded = [[round(value, 5) for value in row] for row in solution.tolist()]
    return {"rgb_factors": rounded[:-1], "bias": rounded[-1]}


def model_card(vae: AutoencoderKLWan, artist: Artist, pool: Pool, training: dict) -> dict:
    """The content of model_card.json; `training` says how these weights came about."""
    return {
        "id": "tiny-wan",
        "name": "Tiny Wan: moving emoji on flat backgrounds",
        "version": VERSION,
        "tasks": ["text2video"],
        "native_size": {"width": CANVAS, "height": CANVAS},
        "size_multiple": SIZE_MULTIPLE,
        "frame_step": 4,
        "defaults": {
            "num_inference_steps": 20,
            "negative_prompt": "",
            "num_frames": FRAMES,
            "fps": 8,
            "video_width": CANVAS,
            "video_height": CANVAS,
            "video_guidance_scale": 3.0,
        },
        "limits": {"min_size": 64, "max_size": 192, "max_frames": 33, "max_images": 1, "max_steps": 150},
        "schedulers": [],
        "vocabulary": {
            "subjects": list(dict.fromkeys(SUBJECTS[i].noun for i in CAST)),
            "backgrounds": list(BACKGROUNDS),
            "motions": list(MOTION_WORDS),
            "words": known_words(),
        },
        "preview": preview_factors(vae, artist, pool),
        "licence": "MIT",
        "training": training,
        "cannot": [
            "It knows only the subjects, colours and motions of its vocabulary; other words blur the clip.",
            "One subject, one motion, one flat background; no pairs, positions, sizes, scenery or camera.",
            "A prompt that names no motion gets one by chance.",
            "Sizes other than 96 x 96 and lengths other than 17 frames were not trained.",
            "Each motion has one speed and one path, so that seeds differ little.",
            "Negative prompts other than the empty one were neither trained nor measured.",
        ],
    }
