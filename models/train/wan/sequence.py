"""The video autoencoder over a whole clip at once, equal to diffusers' frame-by-frame form with its caches.

diffusers encodes and decodes a clip in chunks and hands the last two frames of each causal convolution on. Over the
whole clip that is a convolution padded with two empty frames in front. Two places are special: going down in time, the
first frame passes untouched and the convolution of stride 2 runs over all frames without padding; going up, the first
frame passes untouched and the doubling convolution runs over the others only, with nothing in front of them.

Frames lie in the batch dimension ([B * T, C, h, w]) and a convolution over three frames is a two-dimensional one over
three times the channels: both torch and ONNX Runtime have their fastest code for that.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from diffusers import AutoencoderKLWan
from diffusers.models.autoencoders.autoencoder_kl_wan import (
    WanAttentionBlock,
    WanCausalConv3d,
    WanResample,
    WanResidualBlock,
)
from torch import Tensor, nn


def _clips(x: Tensor, frames: int) -> Tensor:
    """[B * T, C, h, w] -> [B, T, C, h, w]."""
    return x.reshape(-1, frames, *x.shape[1:])


def _earlier(x: Tensor, frames: int, by: int) -> Tensor:
    """Each clip's frames `by` later, zeros in front."""
    clips = _clips(x, frames)
    return torch.cat([torch.zeros_like(clips[:, :by]), clips[:, :-by]], dim=1).flatten(0, 1)


def mark_flat(convolution: WanCausalConv3d) -> None:
    """Says that the convolution looks at the present frame only; the weights for earlier frames become zero."""
    convolution.flat = True
    with torch.no_grad():
        convolution.weight[:, :, :-1] = 0


def causal(convolution: WanCausalConv3d, x: Tensor, frames: int) -> Tensor:
    """A causal convolution with a kernel of one or three frames and stride 1."""
    weight, bias = convolution.weight, convolution.bias
    padding = weight.shape[-1] // 2
    span = weight.shape[2]
    # Before a single frame there is nothing.
    if span == 1 or getattr(convolution, "flat", False) or frames == 1:
        return F.conv2d(x, weight[:, :, -1], bias, padding=padding)
    stacked = torch.cat([_earlier(x, frames, 2), _earlier(x, frames, 1), x], dim=1)
    return F.conv2d(stacked, weight.transpose(1, 2).flatten(1, 2), bias, padding=padding)


def _normalise(norm: nn.Module, x: Tensor) -> Tensor:
    """WanRMS_norm: unit length over the channels (squares summed in float32), their number's root, a gain."""
    squares = x.square().sum(dim=1, keepdim=True, dtype=torch.float32)
    inverse = squares.clamp_min(1e-24).rsqrt() * norm.scale
    return x * inverse.to(x.dtype) * norm.gamma.flatten()[:, None, None].to(x.dtype)


def _residual(block: WanResidualBlock, x: Tensor, frames: int) -> Tensor:
    shortcut = block.conv_shortcut
    h = causal(shortcut, x, frames) if isinstance(shortcut, WanCausalConv3d) else x
    x = causal(block.conv1, F.silu(_normalise(block.norm1, x)), frames)
    x = causal(block.conv2, F.silu(_normalise(block.norm2, x)), frames)
    return x + h


def _attention(block: WanAttentionBlock, x: Tensor) -> Tensor:
    """One head over each frame's cells."""
    query, key, value = block.to_qkv(_normalise(block.norm, x)).flatten(2).transpose(1, 2).chunk(3, dim=-1)
    scores = torch.softmax((query @ key.transpose(1, 2)).float() * x.shape[1] ** -0.5, dim=-1).to(value.dtype)
    mixed = (scores @ value).transpose(1, 2).reshape(x.shape)
    return x + block.proj(mixed)


def _down(block: WanResample, x: Tensor, frames: int) -> tuple[Tensor, int]:
    x = block.resample[1](block.resample[0](x))
    if block.mode != "downsample3d" or frames == 1:
        return x, frames
    clips = _clips(x, frames)
    taps = block.time_conv.weight[..., 0, 0]
    windows = torch.cat([clips[:, 0:-2:2], clips[:, 1:-1:2], clips[:, 2::2]], dim=2)
    weight = taps.transpose(1, 2).flatten(1)[..., None, None]
    reduced = F.conv2d(windows.flatten(0, 1), weight, block.time_conv.bias)
    kept = (frames + 1) // 2
    clips = torch.cat([clips[:, :1], _clips(reduced, kept - 1).to(clips.dtype)], dim=1)
    return clips.flatten(0, 1), kept


def _up(block: WanResample, x: Tensor, frames: int) -> tuple[Tensor, int]:
    if block.mode == "upsample3d" and frames != 1:
        clips = _clips(x, frames)
        doubled = causal(block.time_conv, clips[:, 1:].flatten(0, 1), frames - 1)
        # [B * (T - 1), 2 C, h, w]: the halves of the channels are two frames that follow each other.
        doubled = _clips(doubled.reshape(-1, *x.shape[1:]), 2 * (frames - 1))
        frames = 2 * frames - 1
        x = torch.cat([clips[:, :1], doubled.to(clips.dtype)], dim=1).flatten(0, 1)
    # "nearest" and diffusers' "nearest-exact" are the same at a factor of two.
    x = F.interpolate(x, scale_factor=2.0, mode="nearest")
    return block.resample[1](x), frames


def _middle(block: nn.Module, x: Tensor, frames: int) -> Tensor:
    x = _residual(block.resnets[0], x, frames)
    for attention, residual in zip(block.attentions, block.resnets[1:], strict=True):
        x = _residual(residual, _attention(attention, x), frames)
    return x


def encode(vae: AutoencoderKLWan, clips: Tensor) -> Tensor:
    """Clips [B, 3, T, H, W] in -1..1 -> means of the latents [B, z, (T + 3) / 4, H / 8, W / 8], not normalised."""
    frames = clips.shape[2]
    encoder = vae.encoder
    x = causal(encoder.conv_in, clips.transpose(1, 2).flatten(0, 1), frames)
    for block in encoder.down_blocks:
        if isinstance(block, WanResample):
            x, frames = _down(block, x, frames)
        else:
            x = _residual(block, x, frames)
    x = _middle(encoder.mid_block, x, frames)
    x = causal(encoder.conv_out, F.silu(_normalise(encoder.norm_out, x)), frames)
    x = causal(vae.quant_conv, x, frames)
    return _clips(x, frames).transpose(1, 2)[:, : vae.config.z_dim]


def decode(vae: AutoencoderKLWan, latents: Tensor) -> Tensor:
    """Latents [B, z, T, h, w], not normalised -> clips [B, 3, 4 T - 3, 8 h, 8 w], not clamped."""
    frames = latents.shape[2]
    decoder = vae.decoder
    x = causal(vae.post_quant_conv, latents.transpose(1, 2).flatten(0, 1), frames)
    x = _middle(decoder.mid_block, causal(decoder.conv_in, x, frames), frames)
    for block in decoder.up_blocks:
        for residual in block.resnets:
            x = _residual(residual, x, frames)
        if block.upsamplers is not None:
            x, frames = _up(block.upsamplers[0], x, frames)
    x = causal(decoder.conv_out, F.silu(_normalise(decoder.norm_out, x)), frames)
    return _clips(x, frames).transpose(1, 2)
