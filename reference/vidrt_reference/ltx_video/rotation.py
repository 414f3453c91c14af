"""The rotation of queries and keys by their tokens' positions, a pair of channels at a time.

A pair is two neighbours, as checkpoints have them, or, where the channels of each head were put in `halves_order`, the
same entry of either half of a head: kernels know that one, and scores are the same.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import torch

from vidrt_reference.precision import narrowed, widened
from vidrt_reference.shapes import merge_axes, split_axis

if TYPE_CHECKING:
    from torch import Tensor


class Rotation(Protocol):
    """Turns queries and keys by tables that are prepared once for all blocks."""

    def __init__(self, cos: Tensor, sin: Tensor, heads: int) -> None:
        """Cos and sin are (S, D / 2) of fp32; D are the channels of all heads."""
        ...

    def __call__(self, x: Tensor) -> Tensor:
        """Turn the pairs of x (B, S, D) in fp32; the result is of x's type."""
        ...


class Neighbours(Rotation):
    """Turns each two neighbouring channels."""

    def __init__(self, cos: Tensor, sin: Tensor, heads: int) -> None:  # noqa: ARG002 - as every rotation
        self.cos, self.sin = cos, sin

    def __call__(self, x: Tensor) -> Tensor:
        """As every rotation."""
        first, second = split_axis(widened(x), 2, [-1, 2]).unbind(-1)  # each (B, S, D / 2)
        turned = torch.stack([first * self.cos - second * self.sin, second * self.cos + first * self.sin], dim=-1)
        return narrowed(merge_axes(turned, 2, 2), x.dtype)


class Halves(Rotation):
    """Turns each channel of the first half of a head with its like in the second: channels are in `halves_order`."""

    def __init__(self, cos: Tensor, sin: Tensor, heads: int) -> None:
        self.heads = heads
        self.cos, self.sin = (self._of_both(table) for table in (cos, sin))

    def __call__(self, x: Tensor) -> Tensor:
        """As every rotation."""
        by_head = split_axis(widened(x), 2, [self.heads, -1])  # (B, S, heads, D / heads)
        half = by_head.shape[-1] // 2
        first, second = by_head[..., :half], by_head[..., half:]
        turned = by_head * self.cos + torch.cat([-second, first], dim=-1) * self.sin
        return narrowed(merge_axes(turned, 2, 2), x.dtype)

    def _of_both(self, table: Tensor) -> Tensor:
        by_head = split_axis(table, 1, [self.heads, -1])
        return torch.cat([by_head, by_head], dim=-1).unsqueeze(0)  # (1, S, heads, D / heads)


def halves_order(dim: int, heads: int) -> list[int]:
    """Where each channel comes from when the first of every pair go in front in their head, the second behind."""
    width = dim // heads
    in_a_head = [*range(0, width, 2), *range(1, width, 2)]
    return [head * width + channel for head in range(heads) for channel in in_a_head]
