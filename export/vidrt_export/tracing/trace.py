"""A reference module traced to an ONNX graph, without a byte of its weights."""

import logging
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import onnx_ir as ir
import torch
from onnxscript import optimizer
from torch import nn
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.export import Dim
from vidrt_engines.components import Signature
from vidrt_engines.tensors import TensorSpec

from vidrt_export.tracing.lowering import lower_attention

OPSET = 23
# Axes that are traced at size 1 and broadcast: the graph is right for any size, and no reshape knows the axis.
BROADCAST_AXES = frozenset({"timestep_tokens"})

_SMALLEST = 2
_DTYPES = {"float32": torch.float32, "int64": torch.int64}


def trace(make: Callable[[], nn.Module], signature: Signature, sizes: Mapping[str, int]) -> ir.Model:
    """Traces a module with every named axis dynamic.

    Args:
        make: builds the module; called where tensors have shapes and no memory.
        signature: names, types and axes of what goes in and comes out; `noise_0` … are given to the module as one tuple.
        sizes: for each named axis a size to trace with; the result does not depend on it.

    Returns:
        A graph whose initialisers bear the module's parameter names and have no values.
    """
    with FakeTensorMode():
        module = make().eval()
        inputs = _as_arguments({spec.name: _example(spec, sizes) for spec in signature.inputs})
    lower_attention(module)
    axes = _as_arguments({spec.name: _dynamic_axes(spec) for spec in signature.inputs})
    with _quiet(), torch.no_grad():
        program = torch.onnx.export(
            module,
            (),
            kwargs=inputs,
            dynamic_shapes=axes,
            dynamo=True,
            opset_version=OPSET,
            optimize=False,
            verbose=False,
        )
    model = program.model
    _forget_weights(model.graph, module.state_dict().keys())
    optimizer.optimize_ir(model)
    _name_tensors(model.graph, signature)
    return model


def _example(spec: TensorSpec, sizes: Mapping[str, int]) -> torch.Tensor:
    shape = [int(axis) if axis.isdigit() else 1 if axis in BROADCAST_AXES else sizes[axis] for axis in spec.axes]
    return torch.empty(shape, dtype=_DTYPES[spec.dtype])


def _dynamic_axes(spec: TensorSpec) -> dict[int, Any]:
    return {i: Dim.AUTO for i, axis in enumerate(spec.axes) if not axis.isdigit() and axis not in BROADCAST_AXES}


def _as_arguments(named: Mapping[str, Any]) -> dict[str, Any]:
    """Groups the noise maps, which a module takes as one tuple."""
    noise = tuple(value for name, value in named.items() if name.startswith("noise_"))
    others = {name: value for name, value in named.items() if not name.startswith("noise_")}
    return {**others, "noise": noise} if noise else others


def _forget_weights(graph: ir.Graph, parameters: Sequence[str]) -> None:
    """Drops the placeholders in the place of weights, so that no optimisation looks for their values."""
    names = set(parameters)
    for value in graph.initializers.values():
        if value.name in names:
            value.const_value = None


def _name_tensors(graph: ir.Graph, signature: Signature) -> None:
    """Names inputs, outputs and their axes as the signature does, and forgets what tracing noted in between.

    Sizes in between may mention a broadcast axis as 1, and a backend that believes them plans wrong memory.
    """
    for node in graph.all_nodes():
        for output in node.outputs:
            output.shape = None
    for values, specs in ((graph.inputs, signature.inputs), (graph.outputs, signature.outputs)):
        for value, spec in zip(values, specs, strict=True):
            _refuse_baked(value, spec)
            value.name = spec.name
            value.shape = ir.Shape([int(axis) if axis.isdigit() else axis for axis in spec.axes])


def _refuse_baked(value: ir.Value, spec: TensorSpec) -> None:
    """A dynamic axis that tracing fixed would make a graph for one size only."""
    for axis, size in zip(spec.axes, value.shape or (), strict=False):
        if isinstance(size, int) and not axis.isdigit() and axis not in BROADCAST_AXES:
            raise AssertionError(f"tracing fixed the axis '{axis}' of '{spec.name}' at {size}")


@contextmanager
def _quiet() -> Iterator[None]:
    """The exporter's own remarks on libraries that are not there help nobody who builds an engine."""
    logger = logging.getLogger("torch.onnx")
    level = logger.level
    logger.setLevel(logging.ERROR)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield
    logger.setLevel(level)
