"""Attention over packed heads, as a function that an exporter may replace."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import torch
from torch.nn import functional

if TYPE_CHECKING:
    from torch import Tensor


class Attend(Protocol):
    """What `attend` is called like: attention modules keep it in `self.attend`, where another may take its place."""

    def __call__(
        self,
        query: Tensor,
        key: Tensor,
        value: Tensor,
        *,
        heads: int,
        bias: Tensor | None = None,
        scale: float | None = None,
    ) -> Tensor:
        """Attend from each query to every key; shapes as in `attend`."""
        ...


def attend(
    query: Tensor, key: Tensor, value: Tensor, *, heads: int, bias: Tensor | None = None, scale: float | None = None
) -> Tensor:
    """Attend from each query to every key.

    Args:
        query: (B, S, heads * D).
        key: (B, L, heads * D).
        value: (B, L, heads * D).
        heads: how many heads share the last axis.
        bias: added to the scores, broadcast to (B, heads, S, L).
        scale: what the scores are multiplied by; 1 / sqrt(D) where None.

    Returns:
        (B, S, heads * D).
    """
    query, key, value = (torch.unflatten(x, -1, (heads, -1)).transpose(1, 2) for x in (query, key, value))
    mixed = functional.scaled_dot_product_attention(query, key, value, attn_mask=bias, scale=scale)  # (B, heads, S, D)
    return mixed.transpose(1, 2).flatten(2)
