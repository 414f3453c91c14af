"""A reference module traced to an ONNX graph, without a byte of its weights.

Traced at one size, with every size that a shape change needs read from the graph itself: tracing with symbolic sizes
gives the same graph and takes ten times as long, since each layer of a VAE makes the expressions longer.
"""

import logging
import warnings
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import onnx_ir as ir
import torch
from onnx_ir.passes.common import DeduplicateInitializersPass
from onnxscript import optimizer
from torch import nn
from torch._subclasses.fake_tensor import FakeTensorMode
from vidrt_engines.components import Signature
from vidrt_engines.names import Backend
from vidrt_engines.tensors import TensorSpec

from vidrt_export.part import as_arguments
from vidrt_export.tracing.lowering import lower_attention, lower_products
from vidrt_export.tracing.norms import norm_translations
from vidrt_export.tracing.shapes import shape_translations

OPSET = 23
# Traced at size 1 and broadcast: no shape change knows the axis, so the graph is right for one timestep for each token.
BROADCAST_AXES = frozenset({"timestep_tokens"})

_DTYPES = {"float32": torch.float32, "int64": torch.int64}
# Zero points of quantised matrices are large constants, alike in every layer; the optimiser shares small ones only.
_SHARED_UP_TO = 1 << 24
_NOISY_LOGGERS = ("torch.onnx", "onnx_ir", "onnxscript")


def trace(
    make: Callable[[], nn.Module],
    signature: Signature,
    sizes: Mapping[str, int],
    *,
    backend: Backend = Backend.ONNXRUNTIME,
    prepare: Callable[[nn.Module], nn.Module] | None = None,
) -> ir.Model:
    """Traces a module to a graph in which every named axis is dynamic.

    Args:
        make: builds the module; called where tensors have shapes and no memory.
        signature: names, types and axes of what goes in and out; `noise_0` … are given to the module as one tuple.
        sizes: for each named axis a size above 1 to trace with; the result does not depend on it.
        backend: decides how attention and group norms are written.
        prepare: changes the module before it is traced, for instance to a lower precision.

    Returns:
        A graph whose initialisers bear the module's parameter names and have no values.
    """
    with FakeTensorMode():
        module = (prepare or _as_it_is)(make()).eval()
        inputs = as_arguments({spec.name: _example(spec, sizes) for spec in signature.inputs})
    lower_attention(module, backend)
    lower_products(module)
    with _quiet(), torch.no_grad():
        model = _exported(module, inputs, backend)
        _forget_weights(model.graph, module.state_dict().keys())
        _make_dynamic(model.graph, signature)
        optimizer.optimize_ir(model)
        DeduplicateInitializersPass(size_limit=_SHARED_UP_TO)(model)
        _make_dynamic(model.graph, signature)
        _forget_origins(model)
    return model


def _as_it_is(module: nn.Module) -> nn.Module:
    return module


def _exported(module: nn.Module, inputs: Mapping[str, Any], backend: Backend) -> ir.Model:
    program = torch.onnx.export(
        module,
        (),
        kwargs=dict(inputs),
        dynamo=True,
        opset_version=OPSET,
        optimize=False,
        verbose=False,
        custom_translation_table={**shape_translations(), **norm_translations(backend)},
    )
    assert program is not None
    return program.model


def _example(spec: TensorSpec, sizes: Mapping[str, int]) -> torch.Tensor:
    shape = [int(axis) if axis.isdigit() else 1 if axis in BROADCAST_AXES else sizes[axis] for axis in spec.axes]
    return torch.empty(shape, dtype=_DTYPES[spec.dtype])


def _forget_weights(graph: ir.Graph, parameters: Collection[str]) -> None:
    """Drops the placeholders in the place of weights, so that no optimisation looks for their values."""
    for name, value in graph.initializers.items():
        if name in parameters:
            value.const_value = None


def _make_dynamic(graph: ir.Graph, signature: Signature) -> None:
    """Names inputs, outputs and their axes as the signature does, and forgets every size noted in between."""
    for node in graph.all_nodes():
        for output in node.outputs:
            output.shape = None
    for values, specs in ((graph.inputs, signature.inputs), (graph.outputs, signature.outputs)):
        for value, spec in zip(values, specs, strict=True):
            value.name = spec.name
            value.shape = ir.Shape([int(axis) if axis.isdigit() else axis for axis in spec.axes])


def _forget_origins(model: ir.Model) -> None:
    """Drops the notes on where each node came from: they are most of the file, and hold the builder's paths."""
    model.metadata_props.clear()
    model.graph.metadata_props.clear()
    for node in model.graph.all_nodes():
        node.metadata_props.clear()
        node.doc_string = None
        for output in node.outputs:
            output.metadata_props.clear()
    for value in (*model.graph.inputs, *model.graph.outputs, *model.graph.initializers.values()):
        value.metadata_props.clear()


@contextmanager
def _quiet() -> Iterator[None]:
    """The exporter's remarks on libraries that are not there, and on weights that are not, help nobody."""
    loggers = [logging.getLogger(name) for name in _NOISY_LOGGERS]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.ERROR)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield
    for logger, level in zip(loggers, levels, strict=True):
        logger.setLevel(level)
