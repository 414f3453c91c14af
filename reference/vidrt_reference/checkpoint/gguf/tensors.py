"""GGUF's tensors as stored tensors: as they are, in the pieces that a quantised layer is made of, or as numbers."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import torch

from vidrt_reference.checkpoint.errors import CheckpointError
from vidrt_reference.checkpoint.gguf.blocks import LAYOUTS
from vidrt_reference.checkpoint.read import TORCH_TYPES, read_tensor
from vidrt_reference.checkpoint.stored import ITEM_BYTES, StoredTensor

if TYPE_CHECKING:
    from collections.abc import Iterator

    from torch import Tensor

    from vidrt_reference.checkpoint.gguf.header import GgufTensor

_NAMES = {dtype: name for name, dtype in TORCH_TYPES.items()}
_AT_ONCE = 1 << 20  # blocks' bytes that are taken apart at once: it takes a few times as many


def plain(tensor: GgufTensor) -> StoredTensor:
    """Return a tensor that is not quantised as it lies in its file."""
    assert tensor.type.dtype is not None
    return StoredTensor(
        name=tensor.name, dtype=tensor.type.dtype, shape=tensor.shape, path=tensor.path, offset=tensor.offset,
        nbytes=tensor.nbytes,
    )  # fmt: skip


def pieces(tensor: GgufTensor) -> dict[str, StoredTensor]:
    """Return what a `QuantisedMatrix` of the tensor's form keeps, by the names of its buffers.

    Args:
        tensor: a quantised matrix of (rows, columns).
    """
    assert tensor.type.form is not None
    rows, columns = tensor.shape
    raw = _raw(tensor)
    return {
        name: replace(
            raw, dtype=_NAMES[dtype], shape=shape, nbytes=math.prod(shape) * dtype.itemsize,
            recipe=_Piece(of=raw, tensor=tensor, piece=name),
        )
        for name, (shape, dtype) in tensor.type.form.pieces(rows, columns).items()
    }  # fmt: skip


def numbers(tensor: GgufTensor) -> StoredTensor:
    """Return a tensor of any type as floating point numbers: a quantised one in fp32, others as they lie there."""
    if tensor.type.form is None:
        return plain(tensor)
    nbytes = math.prod(tensor.shape) * ITEM_BYTES["F32"]
    raw = _raw(tensor)
    return replace(raw, dtype="F32", shape=tensor.shape, nbytes=nbytes, recipe=_Numbers(of=raw, tensor=tensor))


def _raw(tensor: GgufTensor) -> StoredTensor:
    """A quantised tensor's bytes: (rows, blocks, bytes of a block)."""
    blocks = tensor.shape[-1] // tensor.type.count
    return StoredTensor(
        name=tensor.name, dtype="U8", shape=(tensor.nbytes // tensor.type.nbytes // blocks, blocks, tensor.type.nbytes),
        path=tensor.path, offset=tensor.offset, nbytes=tensor.nbytes,
    )  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class _Piece:
    of: StoredTensor
    tensor: GgufTensor
    piece: str

    def make(self) -> Tensor:
        form, layout = self.tensor.type.form, LAYOUTS[self.tensor.type.name]
        assert form is not None
        shape, dtype = form.pieces(*self.tensor.shape)[self.piece]
        made = torch.empty(shape, dtype=dtype)
        for begin, blocks in _chunks(self.of):
            if self.piece in layout.factors:
                taken = _finite(layout.factors[self.piece](blocks), self.tensor)
            else:
                taken = _plane(layout.integers(blocks), self.piece)
            made[begin : begin + len(blocks)] = taken.reshape(len(blocks), *shape[1:])
        return made


@dataclass(frozen=True, kw_only=True)
class _Numbers:
    of: StoredTensor
    tensor: GgufTensor

    def make(self) -> Tensor:
        from gguf import GGMLQuantizationType
        from gguf.quants import dequantize

        made = torch.empty(self.of.shape[0], self.tensor.shape[-1])
        for begin, blocks in _chunks(self.of):
            values = dequantize(blocks.flatten(1).numpy(), GGMLQuantizationType[self.tensor.type.name])
            made[begin : begin + len(blocks)] = _finite(torch.from_numpy(values), self.tensor)
        return made.reshape(self.tensor.shape)


def _chunks(raw: StoredTensor) -> Iterator[tuple[int, Tensor]]:
    """A few rows of blocks at a time, and the number of the first."""
    whole = read_tensor(raw)
    count = max(1, _AT_ONCE // (raw.nbytes // raw.shape[0]))
    for begin in range(0, raw.shape[0], count):
        yield begin, whole[begin : begin + count]


def _plane(integers: Tensor, piece: str) -> Tensor:
    """Of two neighbours the lower or the upper four bits in one byte, the first one's below."""
    first, second = torch.unflatten(integers, -1, (-1, 2)).unbind(-1)
    return first >> 4 | second & 240 if piece == "high" else first & 15 | second << 4


def _finite(values: Tensor, tensor: GgufTensor) -> Tensor:
    if values.is_floating_point() and not bool(values.isfinite().all()):
        raise CheckpointError(
            f"Expected finite numbers in {tensor.name} of {tensor.path}, but some are not: download it again."
        )
    return values
