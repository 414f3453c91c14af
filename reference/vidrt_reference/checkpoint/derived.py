"""Tensors that no file holds as they are: a part of one, one turned over, one times its scale."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Protocol

from vidrt_reference.checkpoint.read import TORCH_TYPES, read_tensor
from vidrt_reference.checkpoint.stored import ITEM_BYTES

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor

    from vidrt_reference.checkpoint.stored import StoredTensor


class Recipe(Protocol):
    """How a tensor is made from stored ones."""

    def make(self) -> Tensor:
        """Read what it is made from, and make it, in the dtype it is said to have."""
        ...


def reshaped(stored: StoredTensor, *shape: int) -> StoredTensor:
    """The same bytes with other axes, as many numbers in all."""
    if math.prod(shape) != math.prod(stored.shape):
        raise ValueError(f"{stored.name} of shape {list(stored.shape)} cannot have the shape {list(shape)}.")
    return replace(stored, shape=shape)


def rows(stored: StoredTensor, begin: int, end: int) -> StoredTensor:
    """The entries from `begin` to before `end` along the first axis; they lie together in the file."""
    if not 0 <= begin < end <= stored.shape[0]:
        raise ValueError(f"{stored.name} has {stored.shape[0]} rows, not {begin} to {end}.")
    row = stored.nbytes // stored.shape[0]
    shape = (end - begin, *stored.shape[1:])
    return replace(stored, shape=shape, offset=stored.offset + begin * row, nbytes=(end - begin) * row)


def transposed(stored: StoredTensor) -> StoredTensor:
    """A matrix with its axes exchanged."""
    return replace(stored, shape=stored.shape[::-1], recipe=_Transposed(of=stored))


def reordered(stored: StoredTensor, order: Sequence[int]) -> StoredTensor:
    """The entries of the first axis in another order: entry i is what `order[i]` was."""
    if sorted(order) != list(range(stored.shape[0])):
        raise ValueError(f"{stored.name} has {stored.shape[0]} rows, of which the order is none.")
    return replace(stored, recipe=_Reordered(of=stored, order=order))


def scaled(stored: StoredTensor, scale: StoredTensor, dtype: str = "BF16") -> StoredTensor:
    """A tensor in 8 bits times its scale, one number or one for each entry of the first axis."""
    nbytes = math.prod(stored.shape) * ITEM_BYTES[dtype]
    return replace(stored, dtype=dtype, nbytes=nbytes, recipe=_Scaled(of=stored, scale=scale, dtype=dtype))


def widened(stored: StoredTensor, dtype: str = "BF16") -> StoredTensor:
    """A tensor in 8 bits in a wider type, which holds the same numbers."""
    nbytes = math.prod(stored.shape) * ITEM_BYTES[dtype]
    return replace(stored, dtype=dtype, nbytes=nbytes, recipe=_Widened(of=stored, dtype=dtype))


@dataclass(frozen=True, kw_only=True)
class _Transposed:
    of: StoredTensor

    def make(self) -> Tensor:
        return read_tensor(self.of).T.contiguous()


@dataclass(frozen=True, kw_only=True)
class _Reordered:
    of: StoredTensor
    order: Sequence[int]

    def make(self) -> Tensor:
        return read_tensor(self.of)[list(self.order)]


@dataclass(frozen=True, kw_only=True)
class _Scaled:
    of: StoredTensor
    scale: StoredTensor
    dtype: str

    def make(self) -> Tensor:
        value, scale = read_tensor(self.of).float(), read_tensor(self.scale).float()
        return (value * scale.reshape(-1, *[1] * (value.ndim - 1))).to(TORCH_TYPES[self.dtype])


@dataclass(frozen=True, kw_only=True)
class _Widened:
    of: StoredTensor
    dtype: str

    def make(self) -> Tensor:
        return read_tensor(self.of).to(TORCH_TYPES[self.dtype])
