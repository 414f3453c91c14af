"""Graphs for onnxruntime: fp32 maths, weights kept in the precision asked for and widened where they are used.

In int8 the matrices of linear layers are whole numbers, and so is what multiplies them.

Beside the graph for every provider lies one that computes in the weights' own half precision, and keeps in fp32 what
loses by it. Onnxruntime plays it on CUDA, where it has kernels for it: not for the VAEs, of which some operators have
none in bf16. OpenVINO plays it on a CPU that computes in bf16, stages included. All graphs share the weights.
"""

from collections.abc import Callable, Mapping
from pathlib import Path

import onnx_ir as ir
from torch import nn
from vidrt_engines.graphs import half_name
from vidrt_engines.names import Component, Precision
from vidrt_engines.precisions import SAFE_FP16

from vidrt_export.backends.base import Built, Step
from vidrt_export.checks.precision import prepared
from vidrt_export.console import Console
from vidrt_export.halves import in_halves
from vidrt_export.int8 import in_int8
from vidrt_export.part import Part
from vidrt_export.tracing.trace import trace
from vidrt_export.writing.files import file_hash
from vidrt_export.writing.graph import attach_weights, compute_early
from vidrt_export.writing.weights import Placed, hash_weights, kept_dtypes, place, size_of, write_weights

GRAPH, WEIGHTS = "model.onnx", "model.weights"
STAGE_GRAPH = "stage_{}.onnx"
_FP16_ON_CUDA = {Component.TEXT_ENCODER, Component.TRANSFORMER}
# Tracing and optimising a graph holds the graph and PyTorch, never the weights: measured with 48 layers.
TRACING_BYTES = 900 << 20
TRACING_SECONDS, BYTES_A_SECOND = 6.0, 250e6


def identity(step: Step) -> dict[str, str]:
    """Nothing but the graph and its weights; of those that stay quantised their types, to be read by people."""
    return {"gguf": step.part.gguf} if step.precision is Precision.GGUF else {}


def disk_bytes(step: Step) -> int:
    """The weights file; the graph is small."""
    tensors = _played(step).used()
    return size_of(place(tensors, kept_dtypes(tensors, step.precision)))


def memory_bytes(step: Step) -> int:  # noqa: ARG001 - as every backend
    """What tracing takes."""
    return TRACING_BYTES


def seconds(step: Step) -> float:
    """Tracing, once for each graph and once for all stages together, and the weights at a disk's pace."""
    graphs = (1 + bool(step.part.stages)) * (1 + has_half_graphs(step.part.component, step.precision))
    return graphs * TRACING_SECONDS + disk_bytes(step) / BYTES_A_SECOND


def check(step: Step) -> None:
    """Nothing is needed but the exporter's own libraries."""


def write(step: Step, folder: Path, console: Console) -> Built:
    """Writes the graph and those of its stages, and the weights of all beside them."""
    part = _played(step)
    tensors = part.used()
    placed = place(tensors, kept_dtypes(tensors, step.precision))
    console.note("  tracing the graph")
    files = _graphs(part, placed, folder)
    key = {"graph": files[GRAPH]}
    if has_half_graphs(part.component, step.precision):
        console.note(f"  tracing the graph in {step.precision}")
        files |= _graphs(part, placed, folder, prepared(part, step.precision))
    with console.bytes_of("writing weights", part.weight_bytes) as advance:
        stored_hash, weights_hash = write_weights(folder / WEIGHTS, tensors, placed, advance)
    if part is not step.part:  # an engine in int8 is of the same weights as one that keeps them
        with console.bytes_of("hashing the weights", step.part.weight_bytes) as advance:
            stored_hash = hash_weights(step.part.used(), advance)
    stages = tuple(STAGE_GRAPH.format(number) for number in range(len(part.stages)))
    return Built(
        files={GRAPH: files.pop(GRAPH), WEIGHTS: weights_hash, **files}, weights=stored_hash, key=key, stages=stages
    )


def has_half_graphs(component: Component, precision: Precision) -> bool:
    """Whether there are graphs that compute in the weights' own type: in bf16, and in fp16 where CUDA alone plays them.

    What is not safe in fp16 has none.
    """
    in_fp16 = precision is Precision.FP16 and component in _FP16_ON_CUDA and component not in SAFE_FP16
    return precision is Precision.BF16 or in_fp16


def _graphs(
    part: Part, placed: Mapping[str, Placed], folder: Path, prepare: Callable[[nn.Module], nn.Module] | None = None
) -> dict[str, str]:
    """Writes a component's graph and those of its stages, and gives their hashes by name.

    Args:
        part: the component.
        placed: where its weights lie in the file beside the graphs.
        folder: where all lie.
        prepare: changes its modules to the precision they compute in; None is fp32.
    """
    name = half_name if prepare else str
    model = trace(part.make, part.signature, part.sizes, prepare=prepare)
    files = {name(GRAPH): _save(model, placed, folder / name(GRAPH))}
    for number, stage in enumerate(part.stages):
        model = trace(stage.make, stage.signature, stage.sizes, prepare=prepare)
        compute_early(model, [spec.name for spec in stage.signature.outputs])
        file = name(STAGE_GRAPH.format(number))
        files[file] = _save(
            model, {key: at for key, at in placed.items() if key in model.graph.initializers}, folder / file
        )
    return files


def _played(step: Step) -> Part:
    """The component as onnxruntime plays it."""
    part = in_halves(step.part)
    return in_int8(part) if step.precision is Precision.INT8 else part


def _save(model: ir.Model, placed: Mapping[str, Placed], path: Path) -> str:
    """Writes a graph that points into the weights file beside it; returns its hash."""
    attach_weights(model, placed, WEIGHTS, path.parent)
    ir.save(model, path)
    return file_hash(path)
