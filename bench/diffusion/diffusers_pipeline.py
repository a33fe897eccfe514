"""The measured pipeline of diffusers: loads a folder, then paints once for every line that it reads, and tells what it took.

    python -m bench.diffusion.diffusers_pipeline '{"task": "text2img", "torchFolder": ..., ...}'
"""

from __future__ import annotations

import base64
import json
import sys
import time
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import diffusers
import numpy as np
import torch
from diffusers import StableDiffusionXLPipeline, WanPipeline, WanTransformer3DModel
from safetensors.torch import load_file

sys.path.insert(0, str(Path(__file__).parents[2] / "models"))
from train.wan.denoiser import PositionedPatches  # noqa: E402


class Stopwatch:
    """Milliseconds spent in the networks."""

    def __init__(self) -> None:
        self.total_ms = 0.0

    def around(self, compute: Callable) -> Callable:
        def timed(*values, **options):
            started = time.perf_counter()
            try:
                return compute(*values, **options)
            finally:
                self.total_ms += (time.perf_counter() - started) * 1000

        return timed


def load_wan(folder: str) -> WanPipeline:
    """models/train gives Wan's transformer another patch embedding, which diffusers' own loading leaves out."""
    transformer = WanTransformer3DModel.from_pretrained(folder, subfolder="transformer")
    patches = PositionedPatches(
        transformer.config.in_channels, transformer.patch_embedding.out_channels, transformer.config.patch_size)
    start = "patch_embedding."
    weights = load_file(f"{folder}/transformer/diffusion_pytorch_model.safetensors")
    patches.load_state_dict({name.removeprefix(start): value for name, value in weights.items() if name.startswith(start)})
    transformer.patch_embedding = patches.eval()
    return WanPipeline.from_pretrained(folder, transformer=transformer)


def main() -> None:
    case = json.loads(sys.argv[1])
    torch.set_num_threads(case["threads"])
    diffusers.utils.logging.set_verbosity_error()
    diffusers.utils.logging.disable_progress_bar()
    is_video = case["task"] == "text2video"
    pipeline = (
        load_wan(case["torchFolder"]) if is_video else StableDiffusionXLPipeline.from_pretrained(case["torchFolder"])
    )
    pipeline.set_progress_bar_config(disable=True)

    networks = Stopwatch()
    for name in ("text_encoder", "text_encoder_2", "unet", "transformer"):
        module = getattr(pipeline, name, None)
        if module is not None:
            module.forward = networks.around(module.forward)
    pipeline.vae.decode = networks.around(pipeline.vae.decode)

    step_ends: list[float] = []

    def on_step_end(_pipeline: object, _step: int, _timestep: object, values: dict) -> dict:
        step_ends.append(time.perf_counter())
        return values

    request = {
        "prompt": case["prompt"],
        "negative_prompt": case["negativePrompt"],
        "width": case["width"],
        "height": case["height"],
        "num_inference_steps": case["steps"],
        "guidance_scale": case["guidanceScale"],
        "callback_on_step_end": on_step_end,
    }
    if is_video:
        length = pipeline.tokenizer.model_max_length
        request |= {"num_frames": case["frames"], "max_sequence_length": length}

    def say(message: dict) -> None:
        print(json.dumps(message), flush=True)

    say({"versions": f"diffusers {diffusers.__version__}, torch {torch.__version__}"})
    for line in sys.stdin:
        step_ends.clear()
        networks.total_ms = 0.0
        started = time.perf_counter()
        output = pipeline(**request, generator=torch.Generator("cpu").manual_seed(case["seed"]))
        total_ms = (time.perf_counter() - started) * 1000
        message = {
            "totalMs": total_ms,
            "networksMs": networks.total_ms,
            "stepsMs": [(after - before) * 1000 for before, after in pairwise(step_ends)],
        }
        if line.strip() == "paint-and-show":
            pixels = output.frames[0] * 255 if is_video else np.asarray(output.images[0])
            message["pixels"] = base64.b64encode(np.rint(pixels).astype(np.uint8).tobytes()).decode()
        say(message)


if __name__ == "__main__":
    main()
