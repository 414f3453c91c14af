"""Graphs for onnxruntime: fp32 maths, weights kept in the precision asked for and widened where they are used."""

from pathlib import Path

import onnx_ir as ir

from vidrt_export.backends.base import Built, Step
from vidrt_export.console import Console
from vidrt_export.tracing.trace import trace
from vidrt_export.writing.files import file_hash
from vidrt_export.writing.graph import attach_weights
from vidrt_export.writing.weights import kept_dtypes, place, size_of, write_weights

GRAPH, WEIGHTS = "model.onnx", "model.weights"
# Tracing and optimising a graph holds the graph and PyTorch, never the weights: measured with 48 layers.
TRACING_BYTES = 900 << 20
TRACING_SECONDS, BYTES_A_SECOND = 6.0, 250e6


def identity(step: Step) -> dict[str, str]:  # noqa: ARG001 - as every backend
    """Nothing but the graph and its weights."""
    return {}


def disk_bytes(step: Step) -> int:
    """The weights file; the graph is small."""
    return size_of(place(step.part.used(), kept_dtypes(step.part.used(), step.precision)))


def memory_bytes(step: Step) -> int:  # noqa: ARG001 - as every backend
    """What tracing takes."""
    return TRACING_BYTES


def seconds(step: Step) -> float:
    """Tracing, and the weights at a disk's pace."""
    return TRACING_SECONDS + disk_bytes(step) / BYTES_A_SECOND


def check(step: Step) -> None:
    """Nothing is needed but the exporter's own libraries."""


def write(step: Step, folder: Path, console: Console) -> Built:
    """Writes the graph, and its weights beside it."""
    part = step.part
    console.note("  tracing the graph")
    model = trace(part.make, part.signature, part.sizes)
    tensors = part.used()
    placed = place(tensors, kept_dtypes(tensors, step.precision))
    with console.bytes_of("writing weights", part.weight_bytes) as advance:
        stored_hash, weights_hash = write_weights(folder / WEIGHTS, tensors, placed, advance)
    attach_weights(model, placed, WEIGHTS, folder)
    ir.save(model, folder / GRAPH)
    graph_hash = file_hash(folder / GRAPH)
    return Built(files={GRAPH: graph_hash, WEIGHTS: weights_hash}, weights=stored_hash, key={"graph": graph_hash})
