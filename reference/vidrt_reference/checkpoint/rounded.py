"""Matrices of linear layers as whole numbers and scales, made a part at a time when they are written."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import torch

from vidrt_reference.checkpoint.read import read_tensor
from vidrt_reference.int8 import in_whole_numbers

if TYPE_CHECKING:
    from collections.abc import Iterator

    from torch import Tensor

    from vidrt_reference.checkpoint.stored import StoredTensor

_ROWS = 1024  # rounded at once: what is computed with them takes several times their memory


def rounded(matrix: StoredTensor) -> dict[str, StoredTensor]:
    """What `Int8Linear` keeps of a matrix of (rows, columns), by its names; nothing is read.

    `numbers` are (columns, rows) of int8, as the kernels want them, `scales` (rows,) of fp32.
    """
    rows, columns = matrix.shape
    numbers = replace(matrix, dtype="I8", shape=(columns, rows), nbytes=columns * rows, recipe=_Numbers(of=matrix))
    scales = replace(matrix, dtype="F32", shape=(rows,), nbytes=4 * rows, recipe=_Scales(of=matrix))
    return {"numbers": numbers, "scales": scales}


@dataclass(frozen=True, kw_only=True)
class _Numbers:
    of: StoredTensor

    def make(self) -> Tensor:
        rows, columns = self.of.shape
        made = torch.empty(columns, rows, dtype=torch.int8)
        for start, (numbers, _) in _parts(self.of):
            made[:, start : start + len(numbers)] = numbers.T
        return made


@dataclass(frozen=True, kw_only=True)
class _Scales:
    of: StoredTensor

    def make(self) -> Tensor:
        return torch.cat([scales for _, (_, scales) in _parts(self.of)])


def _parts(matrix: StoredTensor) -> Iterator[tuple[int, tuple[Tensor, Tensor]]]:
    """The first row of each part, its whole numbers and its scales."""
    values = read_tensor(matrix)
    for start in range(0, matrix.shape[0], _ROWS):
        yield start, in_whole_numbers(values[start : start + _ROWS])
