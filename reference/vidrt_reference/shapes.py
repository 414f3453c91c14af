"""Shape changes that a tracer keeps as they are, so that a graph traced at one size is right for every size.

As operators of their own they enter a trace whole; `unflatten` and `flatten` would enter it as a reshape to the sizes
at hand. An exporter writes them in terms of its own graph's shapes.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor


def split_axis(x: Tensor, axis: int, sizes: list[int]) -> Tensor:
    """Split one axis into axes of these sizes, of which one may be -1."""
    split: Tensor = _split_axis(x, axis, sizes)
    return split


def merge_axes(x: Tensor, first: int, count: int) -> Tensor:
    """Merge `count` axes into one, beginning with `first`, which counts from the front."""
    merged: Tensor = _merge_axes(x, first, count)
    return merged


def split_like(x: Tensor, axis: int, like: Tensor, first: int, count: int) -> Tensor:
    """Split one axis, which counts from the front, into the sizes of `count` axes of another tensor from `first` on."""
    split: Tensor = _split_like(x, axis, like, first, count)
    return split


def positions(x: Tensor, axis: int) -> Tensor:
    """Count an axis, which counts from the front: 0, 1, … (size,) of int64."""
    counted: Tensor = _positions(x, axis)
    return counted


@torch.library.custom_op("vidrt::split_axis", mutates_args=())
def _split_axis(x: Tensor, axis: int, sizes: list[int]) -> Tensor:
    return torch.unflatten(x, axis, sizes).clone()


@torch.library.custom_op("vidrt::merge_axes", mutates_args=())
def _merge_axes(x: Tensor, first: int, count: int) -> Tensor:
    return x.flatten(first, first + count - 1).clone()


@torch.library.custom_op("vidrt::split_like", mutates_args=())
def _split_like(x: Tensor, axis: int, like: Tensor, first: int, count: int) -> Tensor:
    return torch.unflatten(x, axis, like.shape[first : first + count]).clone()


@torch.library.custom_op("vidrt::positions", mutates_args=())
def _positions(x: Tensor, axis: int) -> Tensor:
    return torch.arange(x.shape[axis], device=x.device)


@_split_axis.register_fake
def _(x: Tensor, axis: int, sizes: list[int]) -> Tensor:
    return torch.unflatten(x, axis, sizes).clone()


@_merge_axes.register_fake
def _(x: Tensor, first: int, count: int) -> Tensor:
    return x.flatten(first, first + count - 1).clone()


@_split_like.register_fake
def _(x: Tensor, axis: int, like: Tensor, first: int, count: int) -> Tensor:
    return torch.unflatten(x, axis, like.shape[first : first + count]).clone()


@_positions.register_fake
def _(x: Tensor, axis: int) -> Tensor:
    return torch.empty(x.shape[axis], dtype=torch.int64, device=x.device)


def _keep_shape(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:  # noqa: ARG001 - torch's signature
    ctx.shape, ctx.others = inputs[0].shape, len(inputs) - 1


def _restore_shape(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
    return grad.reshape(ctx.shape), *[None] * ctx.others


for _operator in (_split_axis, _merge_axes, _split_like):
    _operator.register_autograd(_restore_shape, setup_context=_keep_shape)
