"""The text encoder and the transformer: transformers' and diffusers' own classes at a two-hundredth of Wan's size."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from diffusers import WanTransformer3DModel
from export.wan_attention import root_mean_square, turn
from torch import Tensor, nn
from transformers import UMT5Config, UMT5EncoderModel

from .vae import CHANNELS

TEXT_WIDTH = 128
WIDTH, HEADS, LAYERS = 256, 4, 6
_HARMONICS = 6
"""Cosines along each axis: as many as a frame has tokens across and down."""


def build_text_encoder(vocabulary_size: int) -> UMT5EncoderModel:
    """0.6 M parameters."""
    config = UMT5Config(
        vocab_size=vocabulary_size,
        d_model=TEXT_WIDTH,
        d_kv=32,
        d_ff=256,
        num_layers=3,
        num_heads=4,
        relative_attention_num_buckets=32,
        relative_attention_max_distance=128,
        dropout_rate=0.0,
        feed_forward_proj="gated-gelu",
        pad_token_id=0,
        eos_token_id=1,
        decoder_start_token_id=0,
        is_encoder_decoder=False,
        use_cache=False,
    )
    return UMT5EncoderModel(config)


class PositionedPatches(nn.Conv3d):
    """Wan's patch embedding plus a learned function of each token's place.

    Rotary embeddings say only how far apart two tokens are. Wan learns from much data where in the frame a token is;
    a small model trained for an hour must be told. Places are shares of the clip's size: cosines along each axis.
    """

    def __init__(self, channels: int, width: int, patch: tuple[int, int, int]) -> None:
        super().__init__(channels, width, kernel_size=patch, stride=patch)
        self.places = nn.Linear(3 * _HARMONICS, width, bias=False)

    def forward(self, hidden_states: Tensor) -> Tensor:
        tokens = super().forward(hidden_states)
        ones = torch.ones_like(tokens[:1, :1])
        waves = torch.arange(1, _HARMONICS + 1, device=tokens.device, dtype=tokens.dtype) * math.pi
        features = []
        for axis in (2, 3, 4):
            share = (ones.cumsum(axis) - 0.5) / ones.sum(axis, keepdim=True)
            features.append(torch.cos(share.squeeze(1).unsqueeze(-1) * waves))
        return tokens + self.places(torch.cat(features, dim=-1)).permute(0, 4, 1, 2, 3)


class PlainAttention:
    """Wan's attention written with matrix products.

    It trains faster on a CPU than torch's fused attention, and exports without the scattered writes of diffusers'
    rotary embedding. The results are equal.
    """

    def __call__(self, attn, hidden_states, encoder_hidden_states=None, attention_mask=None, rotary_emb=None) -> Tensor:
        context = hidden_states if encoder_hidden_states is None else encoder_hidden_states
        query, key = (
            root_mean_square(attn.norm_q, attn.to_q(hidden_states)),
            root_mean_square(attn.norm_k, attn.to_k(context)),
        )
        query, key, value = (x.unflatten(2, (attn.heads, -1)) for x in (query, key, attn.to_v(context)))
        if rotary_emb is not None:
            query, key = (turn(x, *rotary_emb) for x in (query, key))
        query, key, value = (x.transpose(1, 2) for x in (query, key, value))
        scores = torch.softmax((query @ key.transpose(2, 3)) * query.shape[-1] ** -0.5, dim=-1)
        mixed = (scores.to(value.dtype) @ value).transpose(1, 2).flatten(2)
        return attn.to_out[0](mixed)


def build_transformer() -> WanTransformer3DModel:
    """5.8 M parameters: Wan 2.1's transformer with a patch embedding that also knows each token's place."""
    transformer = WanTransformer3DModel(
        patch_size=(1, 2, 2),
        num_attention_heads=HEADS,
        attention_head_dim=WIDTH // HEADS,
        in_channels=CHANNELS,
        out_channels=CHANNELS,
        text_dim=TEXT_WIDTH,
        freq_dim=128,
        ffn_dim=3 * WIDTH,
        num_layers=LAYERS,
        cross_attn_norm=True,
        qk_norm="rms_norm_across_heads",
        rope_max_seq_len=64,
    )
    transformer.patch_embedding = PositionedPatches(CHANNELS, WIDTH, (1, 2, 2))
    for module in transformer.modules():
        if isinstance(module, nn.Linear):
            nn.init.xavier_uniform_(module.weight)
            nn.init.zeros_(module.bias) if module.bias is not None else None
    nn.init.normal_(transformer.condition_embedder.time_proj.weight, std=0.02)
    # Every branch starts closed but with an open gate, and the velocity starts at zero.
    nn.init.zeros_(transformer.proj_out.weight)
    nn.init.zeros_(transformer.scale_shift_table)
    for block in transformer.blocks:
        with torch.no_grad():
            block.scale_shift_table.zero_()
            block.scale_shift_table[:, (2, 5)] = 1.0
        for branch in (block.attn1.to_out[0], block.attn2.to_out[0], block.ffn.net[2]):
            nn.init.zeros_(branch.weight)
    transformer.set_attn_processor(PlainAttention())
    return transformer


@dataclass
class Denoiser:
    """The two networks that are trained together."""

    text_encoder: UMT5EncoderModel
    transformer: WanTransformer3DModel

    @classmethod
    def build(cls, vocabulary_size: int) -> Denoiser:
        return cls(build_text_encoder(vocabulary_size), build_transformer())

    def parameters(self) -> list[nn.Parameter]:
        return [*self.transformer.parameters(), *self.text_encoder.parameters()]

    def state_dict(self) -> dict:
        return {name: getattr(self, name).state_dict() for name in ("text_encoder", "transformer")}

    def load_state_dict(self, state: dict) -> None:
        for name, part in state.items():
            getattr(self, name).load_state_dict(part)

    def embed(self, ids: Tensor) -> Tensor:
        """Prompt ids [B, S], padded with 0 -> states [B, S, 128], zero beyond each prompt's length."""
        mask = (ids != 0).long()
        states = self.text_encoder(input_ids=ids, attention_mask=mask).last_hidden_state
        return states * mask.unsqueeze(-1).to(states.dtype)

    def predict(self, latents: Tensor, timestep: Tensor, states: Tensor) -> Tensor:
        """The predicted velocity (noise minus clean latents), [B, 16, F, h, w]."""
        return self.transformer(latents, timestep, states, return_dict=False)[0]
