"""Stage 5: writes the model folder, ONNX graphs in SDXL's layout with weights stored as float16."""

from __future__ import annotations

import json
import shutil
import warnings
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import torch
from diffusers import AutoencoderKL, DDIMScheduler
from diffusers.models.attention_processor import AttnProcessor2_0
from onnx import TensorProto, helper, numpy_helper
from torch import Tensor, nn

from .denoiser import NATIVE_TIME_IDS, Denoiser
from .sampling import BETA_END, BETA_START, TRAIN_TIMESTEPS
from .vocabulary import END, PromptEncoder, save_tokenizer

OPSET = 17
HALF_FROM = 256
"""Weights with at least this many numbers are stored as float16; smaller ones are not worth a Cast node."""


class TextGraph(nn.Module):
    """A text encoder with its outputs in optimum's order: the pooled or projected text, last state, every state."""

    def __init__(self, encoder: nn.Module, projected: bool) -> None:
        super().__init__()
        self.encoder, self.projected = encoder, projected

    def forward(self, input_ids: Tensor) -> tuple[Tensor, ...]:
        output = self.encoder(input_ids, output_hidden_states=True)
        if self.projected:
            return (output.text_embeds, output.last_hidden_state, *output.hidden_states)
        return (output.last_hidden_state, output.pooler_output, *output.hidden_states)


class UnetGraph(nn.Module):
    """The UNet with SDXL's two added conditions as plain inputs."""

    def __init__(self, unet: nn.Module) -> None:
        super().__init__()
        self.unet = unet

    def forward(
        self, sample: Tensor, timestep: Tensor, states: Tensor, text_embeds: Tensor, time_ids: Tensor
    ) -> Tensor:
        conditions = {"text_embeds": text_embeds, "time_ids": time_ids}
        return self.unet(sample, timestep, states, added_cond_kwargs=conditions, return_dict=False)[0]


class VaeEncoderGraph(nn.Module):
    """Pictures -> mean and log-variance, the 1x1 convolution behind the encoder included."""

    def __init__(self, vae: AutoencoderKL) -> None:
        super().__init__()
        self.vae = vae

    def forward(self, sample: Tensor) -> Tensor:
        return self.vae.quant_conv(self.vae.encoder(sample))


class VaeDecoderGraph(nn.Module):
    """Latents -> pictures."""

    def __init__(self, vae: AutoencoderKL) -> None:
        super().__init__()
        self.vae = vae

    def forward(self, latent_sample: Tensor) -> Tensor:
        return self.vae.decode(latent_sample, return_dict=False)[0]


def _store_as_half(model: onnx.ModelProto) -> None:
    """Rewrites large float32 weights as float16 followed by a Cast, so that all arithmetic stays float32.

    ONNX Runtime folds the casts when it loads the graph: only the file is smaller.
    """
    graph = model.graph
    casts = []
    for weight in graph.initializer:
        if weight.data_type != TensorProto.FLOAT or np.prod(weight.dims) < HALF_FROM:
            continue
        name = weight.name
        half = numpy_helper.from_array(numpy_helper.to_array(weight).astype(np.float16), f"{name}.half")
        weight.CopyFrom(half)
        casts.append(helper.make_node("Cast", [f"{name}.half"], [name], name=f"{name}.to_float", to=TensorProto.FLOAT))
    nodes = [*casts, *graph.node]
    del graph.node[:]
    graph.node.extend(nodes)


def export_graph(
    module: nn.Module, inputs: dict[str, tuple[Tensor, dict[int, str]]], outputs: dict[str, dict[int, str]], path: Path
) -> float:
    """Exports one graph and returns the largest difference between ONNX Runtime's outputs and torch's."""
    path.parent.mkdir(parents=True, exist_ok=True)
    values = tuple(value for value, _ in inputs.values())
    axes = {name: dims for name, (_, dims) in inputs.items() if dims} | outputs
    module.eval()
    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            module,
            values,
            str(path),
            input_names=list(inputs),
            output_names=list(outputs),
            dynamic_axes=axes,
            opset_version=OPSET,
            do_constant_folding=True,
            dynamo=False,
        )
        expected = module(*values)
    model = onnx.load(str(path))
    _store_as_half(model)
    onnx.checker.check_model(model)
    onnx.save(model, str(path))
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    actual = session.run(None, {name: value.numpy() for name, (value, _) in inputs.items()})
    expected = expected if isinstance(expected, tuple) else (expected,)
    return max(float(np.abs(a - e.numpy()).max()) for a, e in zip(actual, expected, strict=True))


def write_json(path: Path, content: object) -> None:
    """Writes readable JSON with a line end, its folder with it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n", "utf8")


def round_to_half(module: nn.Module) -> None:
    """Rounds the weights that are stored as float16, so that torch's outputs are the reference for the file."""
    for parameter in module.parameters():
        if parameter.numel() >= HALF_FROM:
            parameter.data = parameter.data.half().float()


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
