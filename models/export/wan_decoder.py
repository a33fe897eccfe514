"""The video decoder as one graph that takes the latent frames one by one, as diffusers does: memory for four frames, not all.

diffusers' causal convolutions remember their last two inputs in a list. Here the list becomes the state of ONNX's Scan.
The first latent frame, which stands for one frame and fills the memory, comes before the loop; each other one gives four
frames. The two graphs share their weights.
"""

from __future__ import annotations

import onnx
import torch
from diffusers import AutoencoderKLWan
from diffusers.models.autoencoders.autoencoder_kl_wan import WanCausalConv3d, WanUpsample
from onnx import TensorProto, helper
from torch import Tensor, nn

from .onnx_graph import OPSET, TracedGraph, trace_graph

LATENT_FRAME = {0: "batch_size", 2: "height", 3: "width"}
FRAMES = {0: "batch_size", 2: "num_frames", 3: "height", 4: "width"}
MEMORY = {0: "batch_size", 3: "height", 4: "width"}
BODY = "next/"
"""Before the names inside of the loop, which must not be those outside of it."""


class FirstFrame(nn.Module):
    """The first latent frame [B, z, h, w] -> one frame [B, 3, 1, 8 h, 8 w] and the memory of each convolution."""

    def __init__(self, vae: AutoencoderKLWan) -> None:
        super().__init__()
        self.vae = vae

    def forward(self, latents: Tensor) -> tuple[Tensor, ...]:
        convolutions = sum(isinstance(module, WanCausalConv3d) for module in self.vae.decoder.modules())
        return self.decode(latents, [None] * convolutions)

    def decode(self, latents: Tensor, memory: list) -> tuple[Tensor, ...]:
        used = [0]
        latents = self.vae.post_quant_conv(latents.unsqueeze(2))
        frames = self.vae.decoder(latents, feat_cache=memory, feat_idx=used)
        return (frames, *_two_frames_each(memory[: used[0]]))


class NextFrame(FirstFrame):
    """Memory and another latent frame -> four frames, and what is remembered then."""

    def forward(self, latents: Tensor, *memory: Tensor) -> tuple[Tensor, ...]:
        return self.decode(latents, list(memory))


def _two_frames_each(memory: list) -> list[Tensor]:
    """Fills short memories in front with zeros, which is what the convolutions are padded with.

    "Rep" stands where time is doubled and the first frame passed untouched: nothing to remember. What that convolution sees
    has the shape of what the one before it in the list saw.
    """
    whole: list[Tensor] = []
    for frames in memory:
        if isinstance(frames, str):
            frames = torch.zeros_like(whole[-1])
        elif frames.shape[2] == 1:
            frames = torch.cat([torch.zeros_like(frames), frames], dim=2)
        whole.append(frames)
    return whole


def trace_decoder(vae: AutoencoderKLWan) -> TracedGraph:
    """`latent_sample` [B, z, F, h, w], no longer normalised -> `sample` [B, 3, 4 F - 3, 8 h, 8 w], not clamped; F from 2."""
    for module in vae.modules():
        if isinstance(module, WanUpsample):
            module.mode = "nearest"  # at a factor of two the same as "nearest-exact", which ONNX does not have
    latents = torch.randn(2, vae.config.z_dim, 6, 4)
    first_module, next_module = FirstFrame(vae), NextFrame(vae)
    with torch.no_grad():
        _, *memory = first_module(latents)
    names = [f"memory.{index}" for index in range(len(memory))]
    axes = dict.fromkeys(names, MEMORY)
    first = trace_graph(first_module, {"first_latents": (latents, LATENT_FRAME)}, {"first_frames": FRAMES} | axes)
    following = trace_graph(
        next_module,
        {"latents": (latents, LATENT_FRAME)} | {name: (state, MEMORY) for name, state in zip(names, memory, strict=True)},
        {"frames": FRAMES} | {f"{name}.out": MEMORY for name in names})
    parameters = list(dict.fromkeys([*first.parameters, *following.parameters]))
    return TracedGraph(_join(first.model.graph, _loop_body(following, names), names, vae.config.z_dim), parameters)


def _loop_body(following: TracedGraph, memory: list[str]) -> onnx.GraphProto:
    """The graph as Scan wants it: memories first, then what is scanned, and all names its own but those of weights."""
    graph = following.model.graph
    _rename(graph, {"", *following.parameters})
    values = {value.name: value for value in (*graph.input, *graph.output)}
    for value in values.values():
        value.name = BODY + value.name
    inputs = [values[name] for name in (*memory, "latents")]
    outputs = [values[f"{name}.out"] for name in memory] + [values["frames"]]
    return helper.make_graph(list(graph.node), "next_frame", inputs, outputs)


def _rename(graph: onnx.GraphProto, kept: set[str]) -> None:
    """Sets BODY before the names of all nodes and values but `kept`, those in branches included."""
    for node in graph.node:
        node.name = BODY + node.name
        node.input[:] = [name if name in kept else BODY + name for name in node.input]
        node.output[:] = [BODY + name for name in node.output]
        for branch in (attribute.g for attribute in node.attribute if attribute.HasField("g")):
            _rename(branch, kept)
            for value in branch.output:
                value.name = BODY + value.name


def _join(first: onnx.GraphProto, body: onnx.GraphProto, memory: list[str], channels: int) -> onnx.ModelProto:
    """The first frame, the loop over the others, and all frames one behind the other."""
    numbers = {"zero": [0], "one": [1], "two": [2], "end": [2**62], "all": [-1]}
    constants = [
        helper.make_node("Constant", [], [name], value=helper.make_tensor(name, TensorProto.INT64, [len(values)], values))
        for name, values in numbers.items()
    ]
    before = [
        helper.make_node("Slice", ["latent_sample", "zero", "one", "two"], ["first_slice"]),
        helper.make_node("Squeeze", ["first_slice", "two"], ["first_latents"]),
        helper.make_node("Slice", ["latent_sample", "one", "end", "two"], ["further_latents"]),
    ]
    after = [
        # Frames are stacked beside the loop's own axis: [B, 3, F - 1, 4, H, W].
        helper.make_node(
            "Scan", [*memory, "further_latents"], [*(f"{name}.last" for name in memory), "stacked"], body=body,
            num_scan_inputs=1, scan_input_axes=[2], scan_output_axes=[2]),
        helper.make_node("Shape", ["first_frames"], ["clips"], end=2),
        helper.make_node("Shape", ["first_frames"], ["picture"], start=3),
        helper.make_node("Concat", ["clips", "all", "picture"], ["further_shape"], axis=0),
        helper.make_node("Reshape", ["stacked", "further_shape"], ["further_frames"]),
        helper.make_node("Concat", ["first_frames", "further_frames"], ["sample"], axis=2),
    ]
    latents = helper.make_tensor_value_info(
        "latent_sample", TensorProto.FLOAT, ["batch_size", channels, "num_latent_frames", "latent_height", "latent_width"])
    sample = helper.make_tensor_value_info(
        "sample", TensorProto.FLOAT, ["batch_size", 3, "num_frames", "height", "width"])
    graph = helper.make_graph([*constants, *before, *first.node, *after], "vae_decoder", [latents], [sample])
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=8)
