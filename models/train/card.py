"""The model card: what the model can draw, its sizes and defaults, and a linear preview of its latents."""

from __future__ import annotations

import random

import torch
import torch.nn.functional as F
from diffusers import AutoencoderKL

from .captions import known_words
from .scenes import BACKGROUNDS, CANVAS, CELL, NOUNS, POSITIONS, Artist
from .vae import encode_mean, to_tensor

VERSION = "1.0.0"
SIZE_MULTIPLE = 32
"""8 pixels per latent cell, halved twice inside the UNet."""


@torch.no_grad()
def preview_factors(vae: AutoencoderKL, artist: Artist) -> dict[str, list]:
    """Least-squares map from a latent cell's 4 channels to its mean colour in 0..1: 4 x 3 factors and 3 biases."""
    lots = random.Random("preview")
    pictures = to_tensor([artist.render(artist.draw_lots(lots)) for _ in range(128)])
    latents = torch.cat([encode_mean(vae, pictures[i : i + 32]) for i in range(0, 128, 32)])
    colours = F.avg_pool2d(pictures, CELL).permute(0, 2, 3, 1).reshape(-1, 3) / 2 + 0.5
    cells = latents.permute(0, 2, 3, 1).reshape(-1, 4)
    solution = torch.linalg.lstsq(torch.cat([cells, torch.ones(len(cells), 1)], dim=1), colours).solution
    rounded = [[round(value, 5) for value in row] for row in solution.tolist()]
    return {"rgb_factors": rounded[:4], "bias": rounded[4]}


def model_card(vae: AutoencoderKL, artist: Artist, training: dict) -> dict:
    """The content of model_card.json; `training` says how these weights came about."""
    return {
        "id": "tiny-sdxl",
        "name": "Tiny SDXL: emoji on flat backgrounds",
        "version": VERSION,
        "tasks": ["text2img", "img2img", "inpaint"],
        "native_size": {"width": CANVAS, "height": CANVAS},
        "size_multiple": SIZE_MULTIPLE,
        "frame_step": None,
        "defaults": {
            "width": CANVAS,
            "height": CANVAS,
            "num_inference_steps": 25,
            "guidance_scale": 3.0,
            "scheduler": "DDIM",
        },
        "limits": {"min_size": 64, "max_size": 256, "max_images": 4, "max_steps": 150},
        "schedulers": [
            "DDIM",
            "PNDM",
            "KLMS",
            "K_EULER",
            "K_EULER_ANCESTRAL",
            "DPMSolverMultistep",
            "DPMSolverSinglestep",
        ],
        "vocabulary": {
            "subjects": NOUNS,
            "backgrounds": list(BACKGROUNDS),
            "positions": list(POSITIONS),
            "sizes": ["small", "large"],
            "words": known_words(),
        },
        "preview": preview_factors(vae, artist),
        "licence": "MIT",
        "training": training,
        "cannot": [
            "It knows only the subjects, colours, positions and sizes of its vocabulary; other words blur the picture.",
            "Subjects keep their own colours; only apples (red, green) and hearts (red, blue) come in two.",
            "Two subjects in one picture are small and coarse; three or more, counting and actions are beyond it.",
            "Sizes other than 128 x 128 were not trained: the subject is cropped, repeated or misshapen there.",
            "A subject on a background of its own colour, such as a red heart on red, was never shown to it.",
            "Negative prompts were neither trained nor measured.",
        ],
    }
