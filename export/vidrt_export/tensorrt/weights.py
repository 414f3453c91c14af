"""Where a graph's weights lie while it is compiled: nothing is copied that can be read where it is."""

import math
from collections.abc import Mapping
from pathlib import Path

import onnx_ir as ir
from vidrt_reference.checkpoint.stored import StoredTensor

from vidrt_export.console import Console
from vidrt_export.part import Part
from vidrt_export.tensorrt.job import Initializer
from vidrt_export.writing.graph import IR_TYPES, attach_weights
from vidrt_export.writing.weights import Placed, hash_weights, place, size_of, write_weights

WEIGHTS = "model.weights"
_NAMES = {dtype: name for name, dtype in IR_TYPES.items()}


def lay_weights(
    part: Part, model: ir.Model, folder: Path, console: Console, *, beside: bool
) -> tuple[str, dict[str, Initializer]]:
    """Points a graph at its weights, which stay in the checkpoint unless they are to be narrowed.

    Those that the graph wants wider are widened in it: the builder folds that.

    Args:
        part: whose weights.
        model: its graph, in which each weight has the type that it is to have.
        folder: where those are written that must change.
        console: told of the progress.
        beside: write all of them, for a plan that is stripped of its weights.

    Returns:
        The hash of the stored weights, and where each lies.
    """
    tensors = part.used()
    wanted = {name: _NAMES[model.graph.initializers[name].dtype or ir.DataType.FLOAT] for name in tensors}
    dtypes = {name: tensor.dtype if wanted[name] == "F32" else wanted[name] for name, tensor in tensors.items()}
    kept = {name for name in tensors if beside or not _is_usable(tensors[name], dtypes[name])}
    changed = {name: tensors[name] for name in tensors if name in kept}
    placed = place(changed, dtypes)
    with console.bytes_of("reading weights", part.weight_bytes) as advance:
        stored_hash = hash_weights(tensors, advance)
    if changed:
        with console.bytes_of("writing weights", size_of(placed)) as advance:
            write_weights(folder / WEIGHTS, changed, placed, advance)
    attach_weights(model, {**_in_place(tensors, dtypes), **placed}, WEIGHTS, folder)
    return stored_hash, {name: _initializer(name, tensors[name], placed, folder) for name in tensors}


def _is_usable(tensor: StoredTensor, dtype: str) -> bool:
    """Whether a plan can be compiled from the bytes in the checkpoint: in the right type, and aligned to it."""
    is_aligned = tensor.offset % (tensor.nbytes // max(1, math.prod(tensor.shape))) == 0
    return tensor.recipe is None and tensor.dtype == dtype and is_aligned


def _in_place(tensors: Mapping[str, StoredTensor], dtypes: Mapping[str, str]) -> dict[str, Placed]:
    return {
        name: Placed(dtype=dtypes[name], shape=tensor.shape, offset=tensor.offset, nbytes=tensor.nbytes)
        for name, tensor in tensors.items()
    }


def _initializer(name: str, tensor: StoredTensor, placed: Mapping[str, Placed], folder: Path) -> Initializer:
    if name in placed:
        return Initializer(path=str(folder / WEIGHTS), offset=placed[name].offset, nbytes=placed[name].nbytes)
    return Initializer(path=str(tensor.path), offset=tensor.offset, nbytes=tensor.nbytes)
