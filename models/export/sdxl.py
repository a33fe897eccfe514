"""Exports an SDXL model of diffusers, base, inpainting or refiner, to the ONNX layout that optimum writes and Firepod loads.

    python -m models.export.sdxl stabilityai/stable-diffusion-xl-base-1.0 OUT [--half-weights]

The source is a diffusers folder or a name on the Hugging Face hub. Each part is loaded, written and freed in turn: the UNet, the
largest, takes about 11 GB of memory. The VAE that overflows in half precision is exported in float32 like everything else.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import diffusers
import torch
from diffusers import AutoencoderKL, DiffusionPipeline, UNet2DConditionModel
from diffusers.models.attention_processor import AttnProcessor
from torch import Tensor, nn
from transformers import AutoTokenizer, CLIPTextModel, CLIPTextModelWithProjection

from .onnx_graph import ReadWeight, export_graph

LATENT_AXES = {0: "batch_size", 2: "height", 3: "width"}
BATCH_AXIS = {0: "batch_size"}
SEQUENCE_AXES = {0: "batch_size", 1: "sequence_length"}


class TextGraph(nn.Module):
    """Flat outputs in optimum's order: the pooled or projected text, the last state, every hidden state."""

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

    def __init__(self, unet: UNet2DConditionModel) -> None:
        super().__init__()
        self.unet = unet

    def forward(
        self, sample: Tensor, timestep: Tensor, encoder_hidden_states: Tensor, text_embeds: Tensor, time_ids: Tensor
    ) -> Tensor:
        conditions = {"text_embeds": text_embeds, "time_ids": time_ids}
        return self.unet(
            sample, timestep, encoder_hidden_states, added_cond_kwargs=conditions, return_dict=False
        )[0]


class VaeEncoderGraph(nn.Module):
    """Pixels -> mean and log variance, side by side."""

    def __init__(self, vae: AutoencoderKL) -> None:
        super().__init__()
        self.vae = vae

    def forward(self, sample: Tensor) -> Tensor:
        return self.vae.encode(sample, return_dict=False)[0].parameters


class VaeDecoderGraph(nn.Module):
    """Latents, unscaled, -> pixels."""

    def __init__(self, vae: AutoencoderKL) -> None:
        super().__init__()
        self.vae = vae

    def forward(self, latent_sample: Tensor) -> Tensor:
        return self.vae.decode(latent_sample, return_dict=False)[0]


def export_text_encoder(encoder: nn.Module, folder: Path, projected: bool, half: bool) -> None:
    config = encoder.config
    ids = torch.full((1, config.max_position_embeddings), 5)
    ids[0, -1] = config.eos_token_id
    states = [f"hidden_states.{index}" for index in range(config.num_hidden_layers + 1)]
    pooled, last = {"text_embeds" if projected else "pooler_output": BATCH_AXIS}, {"last_hidden_state": SEQUENCE_AXES}
    outputs = (pooled | last if projected else last | pooled) | dict.fromkeys(states, SEQUENCE_AXES)
    export_graph(
        TextGraph(encoder, projected), {"input_ids": (ids, SEQUENCE_AXES)}, outputs, folder / "model.onnx", half)
    (folder / "config.json").write_text(config.to_json_string())


def export_unet(
    unet: UNet2DConditionModel, pooled: int, folder: Path, half: bool, read_weight: ReadWeight | None = None
) -> None:
    """`pooled` is text_encoder_2's projection_dim; what the conditioning has beside it are six time ids, or a refiner's five."""
    config = unet.config
    # Plain attention: its MatMul and Softmax are what ONNX Runtime's fusions look for.
    unet.set_attn_processor(AttnProcessor())
    width = config.cross_attention_dim if isinstance(config.cross_attention_dim, int) else config.cross_attention_dim[0]
    time_ids = (config.projection_class_embeddings_input_dim - pooled) // config.addition_time_embed_dim
    inputs = {
        "sample": (torch.zeros(2, config.in_channels, 16, 16), LATENT_AXES),
        "timestep": (torch.tensor(500.0), {}),
        "encoder_hidden_states": (torch.zeros(2, 77, width), SEQUENCE_AXES),
        "text_embeds": (torch.zeros(2, pooled), BATCH_AXIS),
        "time_ids": (torch.zeros(2, time_ids), BATCH_AXIS),
    }
    export_graph(UnetGraph(unet), inputs, {"out_sample": LATENT_AXES}, folder / "model.onnx", half, read_weight)
    (folder / "config.json").write_text(unet.to_json_string())


def export_vae(vae: AutoencoderKL, root: Path, half: bool) -> None:
    image, latents = torch.zeros(1, vae.config.in_channels, 64, 64), torch.zeros(1, vae.config.latent_channels, 8, 8)
    parts = (
        ("vae_encoder", VaeEncoderGraph(vae), image, "sample", "latent_parameters"),
        ("vae_decoder", VaeDecoderGraph(vae), latents, "latent_sample", "sample"))
    for name, graph, example, source, result in parts:
        export_graph(
            graph, {source: (example, LATENT_AXES)}, {result: LATENT_AXES}, root / name / "model.onnx", half)
        (root / name / "config.json").write_text(vae.to_json_string())


def export_model(source: str, target: Path, half: bool) -> None:
    """Writes the whole folder. A refiner, which has one text encoder, is told by its model_index.json."""
    index = DiffusionPipeline.load_config(source)
    target.mkdir(parents=True, exist_ok=True)
    pooled = 0
    for name, kind in (("text_encoder", CLIPTextModel), ("text_encoder_2", CLIPTextModelWithProjection)):
        if index.get(name, [None])[0] is None:
            continue
        encoder = kind.from_pretrained(source, subfolder=name, attn_implementation="eager", dtype=torch.float32)
        export_text_encoder(encoder, target / name, name == "text_encoder_2", half)
        pooled = encoder.config.projection_dim
        tokenizer = name.replace("text_encoder", "tokenizer")
        AutoTokenizer.from_pretrained(source, subfolder=tokenizer).save_pretrained(target / tokenizer)
    export_vae(AutoencoderKL.from_pretrained(source, subfolder="vae", torch_dtype=torch.float32), target, half)
    export_unet(
        UNet2DConditionModel.from_pretrained(source, subfolder="unet", torch_dtype=torch.float32),
        pooled, target / "unet", half)
    scheduler = getattr(diffusers, index["scheduler"][1]).from_pretrained(source, subfolder="scheduler")
    scheduler.save_pretrained(target / "scheduler")
    graphs = {"vae_encoder": ["optimum", "ORTModelVaeEncoder"], "vae_decoder": ["optimum", "ORTModelVaeDecoder"]}
    kept = {key: value for key, value in index.items() if key != "vae"}
    (target / "model_index.json").write_text(json.dumps({**kept, **graphs}, indent=2))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("source", help="a diffusers folder, or owner/name on the Hugging Face hub")
    parser.add_argument("target", type=Path, help="the folder to write")
    parser.add_argument("--half-weights", action="store_true", help="store weights as float16, half the size on disk")
    arguments = parser.parse_args()
    export_model(arguments.source, arguments.target, arguments.half_weights)


if __name__ == "__main__":
    main()
