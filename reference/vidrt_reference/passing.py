"""What a layer does with frames that pass by in parts, as operators that a tracer keeps as they are.

How many frames come out depends on where in the video a part lies, which a trace at one place would write down for all.
What is carried has no frames where the video begins, and so tells that it does. Tensors are (B, C, F, H, W).
"""

from __future__ import annotations

import torch
from torch import Tensor


def extended(carried: Tensor, x: Tensor, last: Tensor, front: int, back: int) -> Tensor:
    """Put what was carried before x; in its place, where the video begins, the first frame `front` times.

    Behind x comes its last frame `back` times where `last`, (1,) of int64, is 1 and not 0.
    """
    result: Tensor = _extended(carried, x, last, front, back)
    return result


def as_long(x: Tensor, like: Tensor) -> Tensor:
    """Return as many of the first frames of x as `like` has."""
    result: Tensor = _as_long(x, like)
    return result


def without_first(x: Tensor, carried: Tensor, count: int) -> Tensor:
    """Return x without its first `count` frames where the video begins, else all of it."""
    result: Tensor = _without_first(x, carried, count)
    return result


def with_first(x: Tensor, carried: Tensor, count: int) -> Tensor:
    """Return x with its first frame `count` times more in front where the video begins, else as it is."""
    result: Tensor = _with_first(x, carried, count)
    return result


def _begins(carried: Tensor) -> int:
    return int(carried.shape[2] == 0)


def _edges(x: Tensor, before: int, after: int) -> Tensor:
    return torch.cat([x[:, :, :1]] * before + [x] + [x[:, :, -1:]] * after, dim=2)


@torch.library.custom_op("vidrt::extended", mutates_args=())
def _extended(carried: Tensor, x: Tensor, last: Tensor, front: int, back: int) -> Tensor:
    return torch.cat([carried, _edges(x, front * _begins(carried), back * int(last))], dim=2)


@torch.library.custom_op("vidrt::as_long", mutates_args=())
def _as_long(x: Tensor, like: Tensor) -> Tensor:
    return x[:, :, : like.shape[2]].clone()


@torch.library.custom_op("vidrt::without_first", mutates_args=())
def _without_first(x: Tensor, carried: Tensor, count: int) -> Tensor:
    return x[:, :, count * _begins(carried) :].clone()


@torch.library.custom_op("vidrt::with_first", mutates_args=())
def _with_first(x: Tensor, carried: Tensor, count: int) -> Tensor:
    return _edges(x, count * _begins(carried), 0)


@_extended.register_fake
def _(carried: Tensor, x: Tensor, last: Tensor, front: int, back: int) -> Tensor:  # noqa: ARG001 - not the video's end
    return torch.cat([carried, _edges(x, front * _begins(carried), 0)], dim=2)


@_as_long.register_fake
def _(x: Tensor, like: Tensor) -> Tensor:
    return x[:, :, : like.shape[2]].clone()


@_without_first.register_fake
def _(x: Tensor, carried: Tensor, count: int) -> Tensor:
    return x[:, :, count * _begins(carried) :].clone()


@_with_first.register_fake
def _(x: Tensor, carried: Tensor, count: int) -> Tensor:
    return _edges(x, count * _begins(carried), 0)
