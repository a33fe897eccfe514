"""Stage 5: writes the model folder, ONNX graphs in SDXL's layout with weights stored as float16."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import torch
from diffusers import AutoencoderKL, DDIMScheduler
from diffusers.models.attention_processor import AttnProcessor2_0
from export.onnx_graph import Inputs, Outputs, round_to_half, trace_graph, weights_of, write_graph
from export.sdxl import TextGraph, UnetGraph, VaeDecoderGraph, VaeEncoderGraph
from torch import nn

from .denoiser import NATIVE_TIME_IDS, Denoiser
from .sampling import BETA_END, BETA_START, TRAIN_TIMESTEPS
from .vocabulary import END, PromptEncoder, save_tokenizer

def export_graph(module: nn.Module, inputs: Inputs, outputs: Outputs, path: Path) -> float:
    """Exports one graph, half weights included, and returns the largest difference of ONNX Runtime's outputs from torch's."""
    write_graph(trace_graph(module, inputs, outputs), path, weights_of(module), half_weights=True, in_one_file=True)
    onnx.checker.check_model(str(path))
    with torch.no_grad():
        expected = module(*(value for value, _ in inputs.values()))
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    actual = session.run(None, {name: value.numpy() for name, (value, _) in inputs.items()})
    expected = expected if isinstance(expected, tuple) else (expected,)
    return max(float(np.abs(a - e.numpy()).max()) for a, e in zip(actual, expected, strict=True))


def write_json(path: Path, content: object) -> None:
    """Writes readable JSON with a line end, its folder with it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n", "utf8")


def _export_text(denoiser: Denoiser, prompts: PromptEncoder, folder: Path) -> dict[str, float]:
    ids = torch.tensor([prompts.encode("a red apple on a blue background")[0], prompts.encode("a cat")[0]])
    batch, sequence = {0: "batch_size"}, {0: "batch_size", 1: "sequence_length"}
    differences = {}
    for name, encoder, projected in (
        ("text_encoder", denoiser.text_encoder, False),
        ("text_encoder_2", denoiser.text_encoder_2, True),
    ):
        names = {"text_embeds": batch, "last_hidden_state": sequence}
        if not projected:
            names = {"last_hidden_state": sequence, "pooler_output": batch}
        layers = encoder.config.num_hidden_layers
        names |= {f"hidden_states.{i}": sequence for i in range(layers + 1)}
        graph = TextGraph(encoder, projected)
        differences[name] = export_graph(graph, {"input_ids": (ids, sequence)}, names, folder / name / "model.onnx")
        encoder.config.to_json_file(str(folder / name / "config.json"))
    return differences


def _export_unet(denoiser: Denoiser, folder: Path) -> float:
    unet = denoiser.unet
    processors = unet.attn_processors
    unet.set_attn_processor(AttnProcessor2_0())
    batch, sequence = {0: "batch_size"}, {0: "batch_size", 1: "sequence_length"}
    area = {0: "batch_size", 2: "height", 3: "width"}
    torch.manual_seed(1)
    # Sizes that differ from the native ones, so that nothing native can be baked into the graph unseen.
    inputs = {
        "sample": (torch.randn(2, 4, 16, 24), area),
        "timestep": (torch.tensor(501.0), {}),
        "encoder_hidden_states": (torch.randn(2, 20, unet.config.cross_attention_dim), sequence),
        "text_embeds": (torch.randn(2, denoiser.text_encoder_2.config.projection_dim), batch),
        "time_ids": (torch.tensor(NATIVE_TIME_IDS, dtype=torch.float32).expand(2, 6).contiguous(), batch),
    }
    difference = export_graph(UnetGraph(unet), inputs, {"out_sample": area}, folder / "unet" / "model.onnx")
    unet.set_attn_processor(processors)
    unet.save_config(folder / "unet")
    return difference


def _export_vae(vae: AutoencoderKL, folder: Path) -> dict[str, float]:
    area = {0: "batch_size", 2: "height", 3: "width"}
    torch.manual_seed(2)
    encoder = export_graph(
        VaeEncoderGraph(vae),
        {"sample": (torch.rand(2, 3, 96, 128) * 2 - 1, area)},
        {"latent_parameters": area},
        folder / "vae_encoder" / "model.onnx",
    )
    decoder = export_graph(
        VaeDecoderGraph(vae),
        {"latent_sample": (torch.randn(2, 4, 12, 16), area)},
        {"sample": area},
        folder / "vae_decoder" / "model.onnx",
    )
    vae.save_config(folder / "vae_encoder")
    vae.save_config(folder / "vae_decoder")
    return {"vae_encoder": encoder, "vae_decoder": decoder}


def _write_indexes(folder: Path) -> None:
    """model_index.json and the scheduler's configuration."""
    scheduler = DDIMScheduler(
        num_train_timesteps=TRAIN_TIMESTEPS,
        beta_start=BETA_START,
        beta_end=BETA_END,
        beta_schedule="scaled_linear",
        prediction_type="v_prediction",
        timestep_spacing="trailing",
        clip_sample=False,
        set_alpha_to_one=True,
    )
    scheduler.save_config(folder / "scheduler")
    write_json(
        folder / "model_index.json",
        {
            "_class_name": "StableDiffusionXLPipeline",
            "_diffusers_version": scheduler.config.get("_diffusers_version", "0.42.1"),
            "force_zeros_for_empty_prompt": True,
            "scheduler": ["diffusers", "DDIMScheduler"],
            "text_encoder": ["transformers", "CLIPTextModel"],
            "text_encoder_2": ["transformers", "CLIPTextModelWithProjection"],
            "tokenizer": ["transformers", "CLIPTokenizer"],
            "tokenizer_2": ["transformers", "CLIPTokenizer"],
            "unet": ["diffusers", "UNet2DConditionModel"],
            "vae": ["diffusers", "AutoencoderKL"],
        },
    )


def swap_in(fresh: Path, folder: Path) -> None:
    """Puts a complete new folder in the place of an old one."""
    old = folder.with_name(f"{folder.name}.old")
    shutil.rmtree(old, ignore_errors=True)
    if folder.exists():
        folder.rename(old)
    fresh.rename(folder)
    shutil.rmtree(old, ignore_errors=True)


def export_model(
    denoiser: Denoiser, vae: AutoencoderKL, prompts: PromptEncoder, card: dict, folder: Path
) -> dict[str, float]:
    """Writes the whole folder beside its destination, then swaps it in; returns the largest difference per graph."""
    fresh = folder.with_name(f"{folder.name}.new")
    shutil.rmtree(fresh, ignore_errors=True)
    for module in (denoiser.text_encoder, denoiser.text_encoder_2, denoiser.unet, vae):
        round_to_half(module)
    differences = _export_text(denoiser, prompts, fresh)
    differences["unet"] = _export_unet(denoiser, fresh)
    differences |= _export_vae(vae, fresh)
    save_tokenizer(fresh / "tokenizer", prompts, pad_token=END)
    save_tokenizer(fresh / "tokenizer_2", prompts, pad_token="!")
    _write_indexes(fresh)
    write_json(fresh / "model_card.json", card)
    swap_in(fresh, folder)
    return differences
