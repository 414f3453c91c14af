"""The reference's shape changes in ONNX: sizes are read from the graph's own tensors, none is written down."""

from collections.abc import Callable, Sequence
from typing import Any

import torch
import vidrt_reference.shapes  # noqa: F401 - registers the operators
from onnxscript import opset23 as op


def shape_translations() -> dict[Callable[..., Any], Callable[..., Any]]:
    """For each of the reference's shape operators the function that writes it in ONNX."""
    operators = torch.ops.vidrt
    return {
        operators.split_axis.default: _split_axis,
        operators.merge_axes.default: _merge_axes,
        operators.split_like.default: _split_like,
        operators.positions.default: _positions,
    }


def _split_axis(x: Any, axis: int, sizes: Sequence[int]) -> Any:
    rank = len(x.shape)
    axis %= rank
    return op.Reshape(x, _joined(_sizes(x, 0, axis), _constant(*sizes), _sizes(x, axis + 1, rank)))


def _merge_axes(x: Any, first: int, count: int) -> Any:
    return op.Reshape(x, _joined(_sizes(x, 0, first), _constant(-1), _sizes(x, first + count, len(x.shape))))


def _split_like(x: Any, axis: int, like: Any, first: int, count: int) -> Any:
    rank = len(x.shape)
    return op.Reshape(x, _joined(_sizes(x, 0, axis), _sizes(like, first, first + count), _sizes(x, axis + 1, rank)))


def _positions(x: Any, axis: int) -> Any:
    size = op.Squeeze(op.Shape(x, start=axis, end=axis + 1))
    return op.Range(_scalar(0), size, _scalar(1))


def _sizes(x: Any, start: int, end: int) -> list[Any]:
    return [op.Shape(x, start=start, end=end)] if end > start else []


def _joined(*parts: Any) -> Any:
    flat = [item for part in parts for item in (part if isinstance(part, list) else [part])]
    return op.Concat(*flat, axis=0) if len(flat) > 1 else flat[0]


def _constant(*values: int) -> Any:
    return op.Constant(value_ints=list(values))


def _scalar(value: int) -> Any:
    return op.Constant(value_int=value)
