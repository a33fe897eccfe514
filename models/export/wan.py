"""Exports a Wan 2.1 text-to-video model of diffusers to ONNX graphs as Firepod loads them.

    python -m models.export.wan Wan-AI/Wan2.1-T2V-1.3B-Diffusers OUT [--half-weights]

The source is a diffusers folder or a name on the Hugging Face hub. Each part is loaded, written and freed in turn: the text
encoder, the largest, takes about 24 GB of memory. There is no VAE encoder, because no task needs it.
"""

from __future__ import annotations

import argparse
import inspect
import json
import re
import shutil
from pathlib import Path

import torch
from diffusers import AutoencoderKLWan, WanPipeline, WanTransformer3DModel
from huggingface_hub import snapshot_download
from torch import Tensor, nn
from transformers import AutoTokenizer, UMT5EncoderModel

from .onnx_graph import export_graph, weights_of, write_graph
from .wan_attention import ExportedAttention
from .wan_decoder import FirstFrame, trace_decoder

CLIP_AXES = {0: "batch_size", 2: "num_frames", 3: "height", 4: "width"}
SEQUENCE_AXES = {0: "batch_size", 1: "sequence_length"}
SOURCE_FILES = ["model_index.json", "README.md", *(
    f"{part}/*" for part in ("scheduler", "tokenizer", "text_encoder", "transformer", "vae"))]

FRAMES_PER_SECOND = 16
"""What Wan 2.1 was trained at; the pipeline does not say."""


class TextGraph(nn.Module):
    """The text encoder's last state, the only one that Wan uses."""

    def __init__(self, encoder: nn.Module) -> None:
        super().__init__()
        self.encoder = encoder

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        return self.encoder(input_ids=input_ids, attention_mask=attention_mask).last_hidden_state


class TransformerGraph(nn.Module):
    """The transformer with plain inputs."""

    def __init__(self, transformer: nn.Module) -> None:
        super().__init__()
        self.transformer = transformer

    def forward(self, hidden_states: Tensor, timestep: Tensor, encoder_hidden_states: Tensor) -> Tensor:
        return self.transformer(hidden_states, timestep, encoder_hidden_states, return_dict=False)[0]


def export_text_encoder(encoder: UMT5EncoderModel, folder: Path, half: bool) -> None:
    ids = torch.full((2, 12), 5)
    inputs = {"input_ids": (ids, SEQUENCE_AXES), "attention_mask": (torch.ones_like(ids), SEQUENCE_AXES)}
    export_graph(TextGraph(encoder), inputs, {"last_hidden_state": SEQUENCE_AXES}, folder / "model.onnx", half)


def export_transformer(transformer: WanTransformer3DModel, folder: Path, half: bool) -> None:
    config = transformer.config
    transformer.set_attn_processor(ExportedAttention())
    # Sizes that are unlike each other and unlike the native ones, so that none can be baked into the graph unseen.
    inputs = {
        "hidden_states": (torch.zeros(2, config.in_channels, 3, 10, 14), CLIP_AXES),
        "timestep": (torch.tensor([501.0, 77.5]), {0: "batch_size"}),
        "encoder_hidden_states": (torch.zeros(2, 20, config.text_dim), SEQUENCE_AXES),
    }
    export_graph(TransformerGraph(transformer), inputs, {"out_hidden_states": CLIP_AXES}, folder / "model.onnx", half)


def export_decoder(vae: AutoencoderKLWan, folder: Path, half: bool) -> None:
    write_graph(trace_decoder(vae), folder / "model.onnx", weights_of(FirstFrame(vae)), half)


def export_model(source: str, target: Path, half: bool) -> None:
    """Writes the whole folder; graphs last, the largest of them at the end."""
    folder = Path(source) if Path(source).is_dir() else Path(snapshot_download(source, allow_patterns=SOURCE_FILES))
    index = read_json(folder / "model_index.json")
    transformer_config, vae_config = (read_json(folder / part / "config.json") for part in ("transformer", "vae"))
    assert_wan21(index, transformer_config, vae_config)
    target.mkdir(parents=True, exist_ok=True)
    write_json(target / "model_index.json", {key: value for key, value in index.items() if not is_unused(value)})
    write_json(target / "model_card.json", model_card(source, folder, transformer_config, vae_config))
    copy_tokenizer(folder / "tokenizer", target / "tokenizer")
    for part, name, file in (
        ("scheduler", "scheduler", "scheduler_config.json"), ("text_encoder", "text_encoder", "config.json"),
        ("transformer", "transformer", "config.json"), ("vae", "vae_decoder", "config.json")):
        (target / name).mkdir(exist_ok=True)
        shutil.copyfile(folder / part / file, target / name / file)

    load = {"torch_dtype": torch.float32}
    export_decoder(AutoencoderKLWan.from_pretrained(folder, subfolder="vae", **load), target / "vae_decoder", half)
    export_transformer(
        WanTransformer3DModel.from_pretrained(folder, subfolder="transformer", **load), target / "transformer", half)
    export_text_encoder(
        UMT5EncoderModel.from_pretrained(folder, subfolder="text_encoder", attn_implementation="eager", dtype=torch.float32),
        target / "text_encoder", half)


def assert_wan21(index: dict, transformer: dict, vae: dict) -> None:
    """Ends the program for what loadWan would refuse, and for a VAE whose memory has another shape."""
    found = {
        "_class_name": index.get("_class_name") != "WanPipeline",
        "boundary_ratio": index.get("boundary_ratio") is not None,
        "expand_timesteps": bool(index.get("expand_timesteps")),
        "image_dim": transformer.get("image_dim") is not None,
        "is_residual": bool(vae.get("is_residual")),
        "patch_size": vae.get("patch_size") is not None,
    }
    strange = [name for name, is_strange in found.items() if is_strange]
    if strange:
        raise SystemExit(f"This is no text-to-video model of Wan 2.1, by {', '.join(strange)} of its configuration.")


def is_unused(part: object) -> bool:
    """A part that a pipeline may have and this one has not."""
    return isinstance(part, list) and part[:1] == [None]


def copy_tokenizer(source: Path, target: Path) -> None:
    """tokenizer.json as it is: transformers from version 5 on writes another normalizer into T5's than was trained with."""
    target.mkdir(exist_ok=True)
    if not (source / "tokenizer.json").is_file():
        AutoTokenizer.from_pretrained(source).save_pretrained(target)
        return
    for name in ("tokenizer.json", "tokenizer_config.json", "special_tokens_map.json"):
        if (source / name).is_file():
            shutil.copyfile(source / name, target / name)


def model_card(source: str, folder: Path, transformer: dict, vae: dict) -> dict:
    """What the source says of itself, and diffusers' defaults for the pipeline."""
    name = Path(source).name
    defaults = {key: value.default for key, value in inspect.signature(WanPipeline.__call__).parameters.items()}
    size = {"width": defaults["width"], "height": defaults["height"]}
    readme = folder / "README.md"
    licence = re.search(r"^license: *(\S+)$", readme.read_text("utf8") if readme.is_file() else "", re.MULTILINE)
    return {
        "id": re.sub(r"^[^A-Za-z0-9]+|[^A-Za-z0-9._-]", "", name)[:128] or "wan",
        "name": name,
        "version": "1",
        "tasks": ["text2video"],
        "native_size": size,
        "size_multiple": vae.get("scale_factor_spatial", 8) * transformer["patch_size"][1],
        "frame_step": vae.get("scale_factor_temporal", 4),
        "defaults": {
            "num_inference_steps": defaults["num_inference_steps"],
            "num_frames": defaults["num_frames"],
            "fps": FRAMES_PER_SECOND,
            "video_width": size["width"],
            "video_height": size["height"],
            "video_guidance_scale": defaults["guidance_scale"],
        },
        "limits": {"max_frames": defaults["num_frames"], "max_pixels": size["width"] * size["height"]},
        "licence": licence.group(1) if licence else "unknown",
    }


def read_json(path: Path) -> dict:
    return json.loads(path.read_text("utf8"))


def write_json(path: Path, content: object) -> None:
    path.write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n", "utf8")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("source", help="a diffusers folder, or owner/name on the Hugging Face hub")
    parser.add_argument("target", type=Path, help="the folder to write")
    parser.add_argument("--half-weights", action="store_true", help="store weights as float16, half the size on disk")
    arguments = parser.parse_args()
    export_model(arguments.source, arguments.target, arguments.half_weights)


if __name__ == "__main__":
    main()
