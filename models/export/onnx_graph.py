"""Traces a torch module to ONNX, its weights written one by one beside the graph: peak memory is the module's own."""

from __future__ import annotations

import contextlib
import io
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
import torch
from onnx import TensorProto, helper, numpy_helper
from torch import Tensor, nn

OPSET = 17
ALIGNMENT = 4096
"""Offsets in the data file are multiples of a memory page, so that ONNX Runtime can map the weights, not read them."""

Axes = dict[int, str]
"""Names of the dimensions that are free."""

Inputs = dict[str, tuple[Tensor, Axes]]
"""By name, in the order of the module's arguments: an example and its free dimensions."""

Outputs = dict[str, Axes]

ReadWeight = Callable[[str], Tensor]


@dataclass
class TracedGraph:
    """A graph without its weights; `parameters` are their names, in the graph and in the module."""

    model: onnx.ModelProto
    parameters: list[str]


def export_graph(
    module: nn.Module,
    inputs: Inputs,
    outputs: Outputs,
    path: Path,
    half_weights: bool = False,
    read_weight: ReadWeight | None = None,
) -> None:
    """Writes `path` and, beside it, `model.onnx_data`; `read_weight` takes the place of the module's own weights."""
    write_graph(trace_graph(module, inputs, outputs), path, read_weight or weights_of(module), half_weights)


def trace_graph(module: nn.Module, inputs: Inputs, outputs: Outputs) -> TracedGraph:
    """Traces the module with its examples."""
    axes = {name: free for name, (_, free) in inputs.items()} | outputs
    buffer = io.BytesIO()
    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            module.eval(), tuple(example for example, _ in inputs.values()), buffer, input_names=list(inputs),
            output_names=list(outputs), dynamic_axes={name: free for name, free in axes.items() if free},
            opset_version=OPSET, dynamo=False, export_params=False, do_constant_folding=False)
    model = onnx.load_from_string(buffer.getvalue())
    graph = model.graph
    parameters = [value for value in graph.input if value.name not in inputs]
    for value in parameters:
        graph.input.remove(value)
    for node in graph.node:
        node.ClearField("doc_string")
    return TracedGraph(model, [value.name for value in parameters])


def weights_of(module: nn.Module) -> ReadWeight:
    """Reads the module's own weights; one that has several names is known by each."""
    weights = dict(module.named_parameters(remove_duplicate=False)) | dict(module.named_buffers(remove_duplicate=False))
    return lambda name: weights[name]


def write_graph(
    traced: TracedGraph, path: Path, read_weight: ReadWeight, half_weights: bool, in_one_file: bool = False
) -> None:
    """Writes a graph and its weights, which are read one by one by their names.

    `half_weights` stores matrices and kernels as float16 behind a Cast: half the size on disk, float32 to compute with.
    ONNX Runtime folds the casts when it loads the graph. `in_one_file` is for less than 2 GB, protobuf's limit.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    graph = traced.model.graph
    transposed = drop_weight_transposes(graph, set(traced.parameters))
    with contextlib.ExitStack() as files:
        data = None if in_one_file else files.enter_context(open(path.with_name(f"{path.name}_data"), "wb"))
        for name in traced.parameters:
            weight = read_weight(name)
            is_half = half_weights and is_stored_as_half(weight)
            values = weight.detach().t() if name in transposed else weight.detach()
            add_weight(graph, data, name, values.contiguous().numpy(), is_half)
    onnx.save_model(traced.model, str(path))


def is_stored_as_half(weight: Tensor) -> bool:
    """Matrices and kernels; not buffers, which are tables such as those of rotary embeddings and need all their digits."""
    return isinstance(weight, nn.Parameter) and weight.dtype == torch.float32 and weight.ndim > 1


def round_to_half(module: nn.Module) -> None:
    """Rounds the weights that are stored as float16, so that torch's outputs are the reference for the file."""
    for parameter in module.parameters():
        if is_stored_as_half(parameter):
            parameter.data = parameter.data.half().float()


def drop_weight_transposes(graph: onnx.GraphProto, parameters: set[str]) -> set[str]:
    """A linear layer traces to MatMul(x, Transpose(weight)): the weight is stored transposed instead, and returned by name.

    ONNX Runtime would fold the Transpose when it loads the graph, and hold both copies while it does.
    """
    uses: dict[str, int] = {}
    for node in graph.node:
        for name in node.input:
            uses[name] = uses.get(name, 0) + 1
    renamed: dict[str, str] = {}
    for node in list(graph.node):
        is_matrix_transpose = node.op_type == "Transpose" and list(node.attribute[0].ints) == [1, 0]
        if is_matrix_transpose and node.input[0] in parameters and uses[node.input[0]] == 1:
            renamed[node.output[0]] = node.input[0]
            graph.node.remove(node)
    for node in graph.node:
        node.input[:] = [renamed.get(name, name) for name in node.input]
    return set(renamed.values())


def add_weight(
    graph: onnx.GraphProto, data: io.BufferedWriter | None, name: str, values: np.ndarray, is_half: bool
) -> None:
    """Adds the values to the graph: themselves, or appended to the data file and a tensor that points at them."""
    stored = f"{name}.half" if is_half else name
    if is_half:
        values = values.astype(np.float16)
        graph.node.insert(0, helper.make_node("Cast", [stored], [name], to=TensorProto.FLOAT))
    if data is None:
        graph.initializer.append(numpy_helper.from_array(values, stored))
        return
    data.write(b"\0" * (-data.tell() % ALIGNMENT))
    offset = data.tell()
    values.tofile(data)
    tensor = TensorProto(name=stored, dims=values.shape, data_type=helper.np_dtype_to_tensor_dtype(values.dtype))
    tensor.data_location = TensorProto.EXTERNAL
    for key, value in (("location", Path(data.name).name), ("offset", offset), ("length", values.nbytes)):
        tensor.external_data.add(key=key, value=str(value))
    graph.initializer.append(tensor)
