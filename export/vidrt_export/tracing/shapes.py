"""The reference's shape changes in ONNX: sizes are read from the graph's own tensors, none is written down."""

from collections.abc import Callable, Sequence
from typing import Any

import torch
import vidrt_reference.passing
import vidrt_reference.shapes  # noqa: F401 - both register operators
from onnxscript import opset23 as op

_TIME = 2  # the axis of frames


def shape_translations() -> dict[Callable[..., Any], Callable[..., Any]]:
    """For each of the reference's shape operators the function that writes it in ONNX."""
    operators = torch.ops.vidrt
    return {
        operators.split_axis.default: _split_axis,
        operators.merge_axes.default: _merge_axes,
        operators.split_like.default: _split_like,
        operators.positions.default: _positions,
        operators.extended.default: _extended,
        operators.as_long.default: _as_long,
        operators.without_first.default: _without_first,
        operators.with_first.default: _with_first,
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


def _extended(carried: Any, x: Any, last: Any, front: int, back: int) -> Any:
    first = [_first_frames(x, _begins(carried))] * front if front else []
    count = _frames(x)
    behind = [op.Slice(x, op.Sub(count, last), count, _constant(_TIME))] * back if back else []
    return op.Concat(carried, *first, x, *behind, axis=_TIME)


def _as_long(x: Any, like: Any) -> Any:
    return _first_frames(x, _frames(like))


def _without_first(x: Any, carried: Any, count: int) -> Any:
    begin = op.Mul(_begins(carried), _constant(count))
    return op.Slice(x, begin, _frames(x), _constant(_TIME))


def _with_first(x: Any, carried: Any, count: int) -> Any:
    return op.Concat(*[_first_frames(x, _begins(carried))] * count, x, axis=_TIME)


def _begins(carried: Any) -> Any:
    """1 where nothing is carried, which is where a video begins, else 0."""
    return op.Sub(_constant(1), op.Min(_frames(carried), _constant(1)))


def _frames(x: Any) -> Any:
    return op.Shape(x, start=_TIME, end=_TIME + 1)


def _first_frames(x: Any, count: Any) -> Any:
    return op.Slice(x, _constant(0), count, _constant(_TIME))


def _sizes(x: Any, start: int, end: int) -> list[Any]:
    return [op.Shape(x, start=start, end=end)] if end > start else []


def _joined(*parts: Any) -> Any:
    flat = [item for part in parts for item in (part if isinstance(part, list) else [part])]
    return op.Concat(*flat, axis=0) if len(flat) > 1 else flat[0]


def _constant(*values: int) -> Any:
    return op.Constant(value_ints=list(values))


def _scalar(value: int) -> Any:
    return op.Constant(value_int=value)
