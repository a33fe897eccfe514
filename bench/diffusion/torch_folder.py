"""Turns a model folder of ONNX graphs back into a diffusers folder of torch weights, so that diffusers runs the very same model.

    python -m bench.diffusion.torch_folder MODEL_FOLDER TARGET

The exporter transposes matrices, flattens kernels, drops doubles and renames what it touched. It is undone by exporting once more: every
weight of a fresh module is replaced by its own address, so that the graph that comes out tells of each stored number where it belongs.
"""

from __future__ import annotations

import argparse
import io
import json
import shutil
import sys
import warnings
from pathlib import Path

import diffusers
import numpy as np
import onnx
import torch
from diffusers import (
    AutoencoderKL,
    DDIMScheduler,
    StableDiffusionXLPipeline,
    UNet2DConditionModel,
    UniPCMultistepScheduler,
    WanPipeline,
)
from diffusers.models.attention_processor import AttnProcessor2_0
from onnx import TensorProto, numpy_helper
from torch import Tensor, nn
from transformers import AutoTokenizer, CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection

sys.path.insert(0, str(Path(__file__).parents[2] / "models"))
from export.onnx_graph import OPSET  # noqa: E402
from train import export as sdxl_graphs  # noqa: E402
from train.wan import export as wan_graphs  # noqa: E402
from train.wan.denoiser import build_text_encoder, build_transformer  # noqa: E402
from train.wan.vae import build_vae  # noqa: E402

FIRST_ADDRESS = 1 << 20
"""Above every number that a graph holds besides its weights."""
LAST_ADDRESS = 1 << 24
"""Up to here float32 holds every whole number."""

PROMPTS = ["a red apple on a blue background", "a cat"]


def trace(graph: nn.Module, inputs: tuple[Tensor, ...], names: list[str]) -> onnx.GraphProto:
    """The graph as models/train/export.py has torch write it, every size of the inputs free."""
    axes = {name: {axis: f"{name}_{axis}" for axis in range(value.ndim)} for name, value in zip(names, inputs, strict=True)}
    buffer = io.BytesIO()
    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            graph.eval(), inputs, buffer, input_names=names, dynamic_axes=axes,
            opset_version=OPSET, do_constant_folding=True, dynamo=False)
    return onnx.load_from_string(buffer.getvalue()).graph


def simplified(graph: onnx.GraphProto) -> tuple[list[onnx.NodeProto], dict[str, np.ndarray]]:
    """The nodes that compute, and the graph's float constants under every name that they go by, widened to float32."""
    constants = {
        weight.name: numpy_helper.to_array(weight).astype(np.float32)
        for weight in graph.initializer
        if weight.data_type in (TensorProto.FLOAT, TensorProto.FLOAT16)
    }
    nodes = []
    for node in graph.node:
        renames = node.op_type == "Identity" or (node.op_type == "Cast" and node.input[0].endswith(".half"))
        if renames and node.input[0] in constants:
            constants[node.output[0]] = constants[node.input[0]]
        else:
            nodes.append(node)
    return nodes, constants


def read_weights(module: nn.Module, graph: nn.Module, inputs: tuple[Tensor, ...], path: Path) -> list[str]:
    """Fills `module`, which `graph` wraps, with the weights of the ONNX file; returns the parameters that the file does not have.

    Numbers of a parameter that the file leaves out, though it has others of it, become zero: the exporter drops taps without weight.
    """
    stored = onnx.load(str(path)).graph
    parameters = dict(module.named_parameters())
    kept = {name: parameter.detach().clone() for name, parameter in parameters.items()}
    count = sum(parameter.numel() for parameter in parameters.values())
    if FIRST_ADDRESS + count > LAST_ADDRESS:
        raise SystemExit(f"{path} has {count} weights; at most {LAST_ADDRESS - FIRST_ADDRESS} can be told apart.")
    first = FIRST_ADDRESS
    for parameter in parameters.values():
        parameter.data = torch.arange(first, first + parameter.numel(), dtype=torch.float32).view(parameter.shape)
        first += parameter.numel()
    addressed = trace(graph, inputs, [value.name for value in stored.input])

    values, found = np.zeros(count, np.float32), np.zeros(count, bool)
    nodes, constants = simplified(stored)
    address_nodes, addresses = simplified(addressed)
    if [node.op_type for node in nodes] != [node.op_type for node in address_nodes]:
        raise SystemExit(f"{path} was exported from another module, or by other versions than models/requirements.txt names.")
    for node, address_node in zip(nodes, address_nodes, strict=True):
        for name, address_name in zip(node.input, address_node.input, strict=True):
            address = addresses.get(address_name)
            if address is None or address.size == 0 or address.min() < FIRST_ADDRESS:
                continue
            places = address.astype(np.int64) - FIRST_ADDRESS
            values[places], found[places] = constants[name], True

    missing, first = [], 0
    for name, parameter in parameters.items():
        part = slice(first, first + parameter.numel())
        first = part.stop
        if found[part].any():
            parameter.data = torch.from_numpy(values[part].copy()).view(parameter.shape)
        else:
            parameter.data = kept[name]
            missing.append(name)
    return missing


def read_all_weights(module: nn.Module, graph: nn.Module, inputs: tuple[Tensor, ...], path: Path) -> None:
    """As `read_weights`, for a file that must have every weight of the module."""
    missing = read_weights(module, graph, inputs, path)
    if missing:
        raise SystemExit(f"{path} lacks {len(missing)} weights, {missing[0]} the first.")


def read_decoder(vae: nn.Module, graph: nn.Module, latents: Tensor, path: Path) -> None:
    """Fills the decoder's half; the encoder, which painting from words does not use, keeps fresh weights."""
    missing = read_weights(vae, graph, (latents,), path)
    lacking = [name for name in missing if name.startswith(("decoder.", "post_quant_conv."))]
    if lacking:
        raise SystemExit(f"{path} lacks {len(lacking)} weights of the decoder, {lacking[0]} the first.")


def token_ids(folder: Path) -> tuple[Tensor, Tensor]:
    """Ids and mask of two prompts of different length."""
    tokens = AutoTokenizer.from_pretrained(folder)(PROMPTS, padding="max_length", return_tensors="pt")
    return tokens.input_ids, tokens.attention_mask


def sdxl_pipeline(folder: Path, index: dict) -> StableDiffusionXLPipeline:
    parts = {}
    for name, kind in (("text_encoder", CLIPTextModel), ("text_encoder_2", CLIPTextModelWithProjection)):
        tokenizer = name.replace("text_encoder", "tokenizer")
        config = CLIPTextConfig.from_json_file(folder / name / "config.json")
        config._attn_implementation = "eager"
        encoder = kind(config)
        ids, _ = token_ids(folder / tokenizer)
        graph = sdxl_graphs.TextGraph(encoder, name == "text_encoder_2")
        read_all_weights(encoder, graph, (ids,), folder / name / "model.onnx")
        parts |= {name: encoder, tokenizer: AutoTokenizer.from_pretrained(folder / tokenizer)}

    unet = UNet2DConditionModel.from_config(UNet2DConditionModel.load_config(folder / "unet"))
    unet.set_attn_processor(AttnProcessor2_0())
    pooled = parts["text_encoder_2"].config.projection_dim
    inputs = (
        torch.randn(2, unet.config.in_channels, 16, 24), torch.tensor(501.0),
        torch.randn(2, 20, unet.config.cross_attention_dim), torch.randn(2, pooled), torch.randn(2, 6))
    read_all_weights(unet, sdxl_graphs.UnetGraph(unet), inputs, folder / "unet" / "model.onnx")

    vae = AutoencoderKL.from_config(AutoencoderKL.load_config(folder / "vae_decoder"))
    latents = torch.randn(2, vae.config.latent_channels, 12, 16)
    read_decoder(vae, sdxl_graphs.VaeDecoderGraph(vae), latents, folder / "vae_decoder" / "model.onnx")
    return StableDiffusionXLPipeline(
        **parts, unet=unet, vae=vae, scheduler=DDIMScheduler.from_pretrained(folder / "scheduler"),
        force_zeros_for_empty_prompt=index["force_zeros_for_empty_prompt"])


def wan_pipeline(folder: Path) -> WanPipeline:
    tokenizer = AutoTokenizer.from_pretrained(folder / "tokenizer")
    encoder = build_text_encoder(len(tokenizer))
    graph = wan_graphs.TextGraph(encoder)
    read_all_weights(encoder, graph, token_ids(folder / "tokenizer"), folder / "text_encoder" / "model.onnx")

    transformer = build_transformer()
    channels, width = transformer.config.in_channels, transformer.config.text_dim
    inputs = (torch.randn(2, channels, 3, 10, 14), torch.tensor([501.0, 77.5]), torch.randn(2, 20, width))
    graph = wan_graphs.TransformerGraph(transformer)
    read_all_weights(transformer, graph, inputs, folder / "transformer" / "model.onnx")

    config = json.loads((folder / "vae_decoder" / "config.json").read_text())
    vae = build_vae(config["latents_mean"], config["latents_std"])
    latents = torch.randn(2, channels, 4, 5, 7)
    read_decoder(vae, wan_graphs.DecoderGraph(vae), latents, folder / "vae_decoder" / "model.onnx")
    scheduler = UniPCMultistepScheduler.from_pretrained(folder / "scheduler")
    return WanPipeline(
        tokenizer=tokenizer, text_encoder=encoder, transformer=transformer, vae=vae, scheduler=scheduler)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("source", type=Path, help="a model folder that models/train wrote")
    parser.add_argument("target", type=Path, help="the diffusers folder to write")
    arguments = parser.parse_args()
    diffusers.utils.logging.set_verbosity_error()
    diffusers.utils.logging.disable_progress_bar()
    index = json.loads((arguments.source / "model_index.json").read_text())
    is_wan = index["_class_name"] == "WanPipeline"
    pipeline = wan_pipeline(arguments.source) if is_wan else sdxl_pipeline(arguments.source, index)
    shutil.rmtree(arguments.target, ignore_errors=True)
    pipeline.save_pretrained(arguments.target)
    print(f"{arguments.target} holds {arguments.source} for diffusers {diffusers.__version__}.", file=sys.stderr)


if __name__ == "__main__":
    main()
