"""Wan's attention in operators that export: rotary embedding and norm without scattered writes, scores never held whole."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class StreamedAttention(torch.autograd.Function):
    """ONNX Runtime's MultiHeadAttention over [B, S, heads * width]: it goes over the keys block by block.

    The scores of one layer of Wan 2.1's smaller transformer for 81 frames of 832 x 480 pixels (32,760 tokens) have 51 GB.
    """

    @staticmethod
    def forward(ctx, query: Tensor, key: Tensor, value: Tensor, heads: int) -> Tensor:
        query, key, value = (x.unflatten(2, (heads, -1)).transpose(1, 2) for x in (query, key, value))
        return F.scaled_dot_product_attention(query, key, value).transpose(1, 2).flatten(2)

    @staticmethod
    def symbolic(g, query, key, value, heads: int):
        attended = g.op("com.microsoft::MultiHeadAttention", query, key, value, num_heads_i=heads)
        return attended.setType(query.type())


class ExportedAttention:
    """diffusers' WanAttnProcessor for export; the results are equal."""

    def __call__(self, attn, hidden_states, encoder_hidden_states=None, attention_mask=None, rotary_emb=None) -> Tensor:
        context = hidden_states if encoder_hidden_states is None else encoder_hidden_states
        query = root_mean_square(attn.norm_q, attn.to_q(hidden_states))
        key = root_mean_square(attn.norm_k, attn.to_k(context))
        if rotary_emb is not None:
            query, key = (turn(x.unflatten(2, (attn.heads, -1)), *rotary_emb).flatten(2) for x in (query, key))
        return attn.to_out[0](StreamedAttention.apply(query, key, attn.to_v(context), attn.heads))


def root_mean_square(norm: nn.RMSNorm, x: Tensor) -> Tensor:
    """RMSNorm over the channels of all heads, its mean in float32; the exporter has no operator for torch's own."""
    mean = x.square().mean(dim=-1, keepdim=True, dtype=torch.float32)
    return x * (mean + norm.eps).rsqrt().to(x.dtype) * norm.weight.to(x.dtype)


def turn(x: Tensor, cosines: Tensor, sines: Tensor) -> Tensor:
    """Rotates neighbouring channels of x [B, S, heads, width] as pairs."""
    even, odd = x.unflatten(-1, (-1, 2)).unbind(-1)
    cosine, sine = cosines[..., 0::2].to(x.dtype), sines[..., 1::2].to(x.dtype)
    return torch.stack([even * cosine - odd * sine, even * sine + odd * cosine], dim=-1).flatten(-2)
