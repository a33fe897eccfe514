"""Writes SDXL's UNet at its full size (2.6 billion weights, 10.3 GB in float32) with random weights: the proof of external data
above protobuf's 2 GB needs the size and not the training.

    python -m models.export.large_unet OUT

OUT becomes a copy of packages/diffusion/fixtures/micro-sdxl whose text encoders and VAE stay tiny, with the large UNet between
them and text encoders widened to what it expects. `node packages/diffusion/bench/large-unet.ts OUT` then takes one step.
"""

from __future__ import annotations

import itertools
import shutil
import sys
from pathlib import Path

import torch
from diffusers import UNet2DConditionModel
from torch import nn
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection

from .sdxl import export_text_encoder, export_unet

FIXTURES = Path(__file__).parents[2] / "packages" / "diffusion" / "fixtures"
VOCABULARY_SIZE, END_ID = 577, 576

UNET = {
    "sample_size": 128, "in_channels": 4, "out_channels": 4, "block_out_channels": (320, 640, 1280), "layers_per_block": 2,
    "down_block_types": ("DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"),
    "up_block_types": ("CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"),
    "transformer_layers_per_block": (1, 2, 10), "attention_head_dim": (5, 10, 20), "cross_attention_dim": 2048,
    "use_linear_projection": True, "addition_embed_type": "text_time", "addition_time_embed_dim": 256,
    "projection_class_embeddings_input_dim": 2816,
}
"""unet/config.json of stabilityai/stable-diffusion-xl-base-1.0."""


def weightless_unet() -> UNet2DConditionModel:
    """The module with every weight a view of one number: the trace needs the shapes, and 10 GB of numbers it does not.

    Each has a number of its own, because the exporter merges weights that are equal.
    """
    with torch.device("meta"):
        unet = UNet2DConditionModel(**UNET)
    numbers = itertools.count()
    for module in unet.modules():
        for name, parameter in list(module.named_parameters(recurse=False)):
            number = torch.tensor([next(numbers) * 1e-6])
            setattr(module, name, nn.Parameter(number.expand(parameter.shape), requires_grad=False))
    return unet


def random_weight(unet: UNet2DConditionModel):
    """Draws weights that keep activations in range: 1/sqrt(inputs) for matrices, 1 for norms' weights, 0 for biases."""
    parameters = dict(unet.named_parameters())
    generator = torch.Generator().manual_seed(0)

    def read(name: str) -> torch.Tensor:
        shape = parameters[name.removeprefix("unet.")].shape
        if len(shape) == 1:
            return torch.zeros(shape) if name.endswith("bias") else torch.ones(shape)
        return torch.randn(shape, generator=generator) / shape[1:].numel() ** 0.5

    return read


def main() -> None:
    target = Path(sys.argv[1])
    shutil.copytree(FIXTURES / "micro-sdxl", target)
    for part in ("text_encoder", "text_encoder_2", "unet"):
        shutil.rmtree(target / part)
    shared = {"vocab_size": VOCABULARY_SIZE, "eos_token_id": END_ID, "bos_token_id": END_ID - 1, "num_hidden_layers": 2,
              "intermediate_size": 64, "attn_implementation": "eager"}
    torch.manual_seed(0)
    first = CLIPTextModel(CLIPTextConfig(hidden_size=768, num_attention_heads=12, **shared))
    second = CLIPTextModelWithProjection(
        CLIPTextConfig(hidden_size=1280, num_attention_heads=20, projection_dim=1280, **shared))
    export_text_encoder(first, target / "text_encoder", projected=False, half=False)
    export_text_encoder(second, target / "text_encoder_2", projected=True, half=False)
    unet = weightless_unet()
    print(f"{sum(parameter.numel() for parameter in unet.parameters()):,} weights")
    export_unet(unet, 1280, target / "unet", half=False, read_weight=random_weight(unet))


if __name__ == "__main__":
    main()
