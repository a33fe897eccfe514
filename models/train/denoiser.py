"""The text encoders and the UNet: transformers' and diffusers' own classes at a two-hundredth of SDXL's size."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from diffusers import UNet2DConditionModel
from diffusers.models.attention_processor import AttnProcessor
from torch import Tensor, nn
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection

from .scenes import CANVAS, CELL
from .vocabulary import MAX_LENGTH

TEXT_WIDTHS = (128, 192)
TEXT_HEADS = (4, 6)
TEXT_LAYERS = 3
POOLED_WIDTH = 192
TIME_ID_WIDTH = 32
NATIVE_TIME_IDS = (CANVAS, CANVAS, 0, 0, CANVAS, CANVAS)
"""Original height and width, crop top and left, target height and width of a picture at its native size."""


def _text_config(width: int, heads: int, vocabulary_size: int) -> CLIPTextConfig:
    return CLIPTextConfig(
        vocab_size=vocabulary_size,
        hidden_size=width,
        intermediate_size=4 * width,
        num_hidden_layers=TEXT_LAYERS,
        num_attention_heads=heads,
        max_position_embeddings=MAX_LENGTH,
        hidden_act="gelu",
        projection_dim=POOLED_WIDTH,
        bos_token_id=vocabulary_size - 2,
        eos_token_id=vocabulary_size - 1,
        pad_token_id=vocabulary_size - 1,
        attn_implementation="eager",
    )


def _build_text_encoder(kind: type, width: int, heads: int, vocabulary_size: int) -> nn.Module:
    encoder = kind(_text_config(width, heads, vocabulary_size))
    # CLIP's own tiny initial embeddings suit 400 M pairs; here words must differ from the first step on.
    for module in encoder.modules():
        if isinstance(module, nn.Embedding):
            words = module.num_embeddings == vocabulary_size
            nn.init.normal_(module.weight, std=0.5 if words else 0.2)
        elif isinstance(module, nn.Linear):
            nn.init.xavier_uniform_(module.weight)
            if module.bias is not None:
                nn.init.zeros_(module.bias)
    return encoder


def build_unet() -> UNet2DConditionModel:
    """11.5 M parameters: SDXL's blocks (no attention at the finest of three levels) with text_time conditioning."""
    unet = UNet2DConditionModel(
        sample_size=CANVAS // CELL,
        in_channels=4,
        out_channels=4,
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"),
        mid_block_type="UNetMidBlock2DCrossAttn",
        up_block_types=("CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"),
        block_out_channels=(64, 128, 192),
        layers_per_block=1,
        transformer_layers_per_block=(1, 1, 1),
        attention_head_dim=(2, 4, 6),
        cross_attention_dim=sum(TEXT_WIDTHS),
        use_linear_projection=True,
        addition_embed_type="text_time",
        addition_time_embed_dim=TIME_ID_WIDTH,
        projection_class_embeddings_input_dim=POOLED_WIDTH + 6 * TIME_ID_WIDTH,
        norm_num_groups=16,
    )
    # Every residual branch starts at zero, so that the first gradients reach all depths.
    for name, module in unet.named_modules():
        ends_branch = name.endswith(("conv2", "proj_out")) or name == "conv_out"
        if ends_branch:
            nn.init.zeros_(module.weight)
            nn.init.zeros_(module.bias)
    # Torch's fused attention has a slow backward pass on CPUs: plain matrix products are 25 % faster per step.
    unet.set_attn_processor(AttnProcessor())
    return unet


@dataclass
class Denoiser:
    """The three networks that are trained together."""

    text_encoder: CLIPTextModel
    text_encoder_2: CLIPTextModelWithProjection
    unet: UNet2DConditionModel

    @classmethod
    def build(cls, vocabulary_size: int) -> Denoiser:
        first = _build_text_encoder(CLIPTextModel, TEXT_WIDTHS[0], TEXT_HEADS[0], vocabulary_size)
        second = _build_text_encoder(CLIPTextModelWithProjection, TEXT_WIDTHS[1], TEXT_HEADS[1], vocabulary_size)
        return cls(first, second, build_unet())

    def text_parameters(self) -> list[nn.Parameter]:
        return [*self.text_encoder.parameters(), *self.text_encoder_2.parameters()]

    def parameters(self) -> list[nn.Parameter]:
        return [*self.unet.parameters(), *self.text_parameters()]

    def state_dict(self) -> dict:
        return {name: getattr(self, name).state_dict() for name in ("text_encoder", "text_encoder_2", "unet")}

    def load_state_dict(self, state: dict) -> None:
        for name, part in state.items():
            getattr(self, name).load_state_dict(part)

    def embed(self, ids: Tensor, ids_2: Tensor) -> tuple[Tensor, Tensor]:
        """Prompt ids [B, S] of both tokenizers -> penultimate states [B, S, 320] and pooled text [B, 192]."""
        first = self.text_encoder(ids, output_hidden_states=True)
        second = self.text_encoder_2(ids_2, output_hidden_states=True)
        states = torch.cat([first.hidden_states[-2], second.hidden_states[-2]], dim=-1)
        return states, second.text_embeds

    def predict(self, sample: Tensor, timestep: Tensor, states: Tensor, pooled: Tensor, time_ids: Tensor) -> Tensor:
        """The predicted velocity, [B, 4, h, w]."""
        conditions = {"text_embeds": pooled, "time_ids": time_ids}
        return self.unet(sample, timestep, states, added_cond_kwargs=conditions).sample
