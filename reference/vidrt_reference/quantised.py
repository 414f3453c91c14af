"""Layers whose weights stay quantised: blocks of small integers that share a scale.

Integers are kept in planes of four bits, two of them where four are too few: for products with such planes there are
fast kernels, which for eight bits at once there are not.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import torch
from torch import Tensor, nn

from vidrt_reference.precision import widened
from vidrt_reference.shapes import merge_axes, split_axis

if TYPE_CHECKING:
    from collections.abc import Mapping

HIGH = 16  # what the upper four bits count
MIDDLE = 8


@dataclass(frozen=True, kw_only=True)
class BlockForm:
    """How a quantised matrix is kept: integers in planes of four bits, and what they are multiplied with.

    A number is `scale * integer + minimum`, with one scale and one minimum for each block. The integer is one plane's
    four bits less `zero`, or with two planes sixteen times the high plane's less 8, plus the low plane's.

    Attributes:
        block: numbers that share a scale.
        planes: 1 or 2.
        zero: what is taken off the only plane's four bits.
        has_min: whether there are minimums.
        group: blocks that share a second scale, in fp16, by which theirs, small integers, are multiplied; 1 where each
            block has its own scale in fp16.
    """

    block: int
    planes: int = 1
    zero: int = MIDDLE
    has_min: bool = False
    group: int = 1

    def pieces(self, rows: int, columns: int) -> dict[str, tuple[tuple[int, ...], torch.dtype]]:
        """Return the shape and type of each tensor that a matrix of (rows, columns) is kept in, by name."""
        blocks = columns // self.block
        plane = (rows, blocks, self.block // 2)
        found: dict[str, tuple[tuple[int, ...], torch.dtype]] = {"low": (plane, torch.uint8)}
        if self.planes > 1:
            found["high"] = (plane, torch.uint8)
        for name in ("scales", "mins") if self.has_min else ("scales",):
            if self.group > 1:
                found[name] = ((rows, blocks // self.group, self.group), torch.int8)
                found[f"group_{name}"] = ((rows, blocks // self.group, 1), torch.float16)
            else:
                found[name] = ((rows, blocks), torch.float16)
        return found


class Multiply(Protocol):
    """What `multiply` is called like: quantised layers keep it in `self.multiply`, where another may take its place."""

    def __call__(self, x: Tensor, plane: Tensor, scales: Tensor, *, zero: int) -> Tensor:
        """Multiply by the transpose of a matrix in blocks; shapes as in `multiply`."""
        ...


def multiply(x: Tensor, plane: Tensor, scales: Tensor, *, zero: int) -> Tensor:
    """Multiply by the transpose of a matrix that is kept in blocks of four bits.

    Args:
        x: (..., K), of fp32.
        plane: (N, K / block, block / 2) of uint8: of two neighbours the first in the lower half of a byte.
        scales: (N, K / block), of fp32.
        zero: what is taken off the four bits.

    Returns:
        (..., N).
    """
    matrix = (_halves(plane) - zero).flatten(2) * scales.unsqueeze(-1)
    return nn.functional.linear(x, matrix.flatten(1))


class QuantisedMatrix(nn.Module):
    """A matrix of (rows, columns) in blocks along its columns."""

    def __init__(self, rows: int, columns: int, form: BlockForm) -> None:
        super().__init__()
        self.rows, self.columns, self.form = rows, columns, form
        for name, (shape, dtype) in form.pieces(rows, columns).items():
            self.register_buffer(name, torch.zeros(shape, dtype=dtype))

    def factors(self, name: str) -> Tensor:
        """Return the scales or the minimums of all blocks: (rows, blocks), of fp32."""
        own = self.get_buffer(name).float()
        if self.form.group > 1:
            own = own * self.get_buffer(f"group_{name}").float()
        return own.reshape(self.rows, -1)


class QuantisedLinear(QuantisedMatrix):
    """A linear layer without bias, in fp32."""

    def __init__(self, rows: int, columns: int, form: BlockForm) -> None:
        super().__init__(rows, columns, form)
        self.multiply: Multiply = multiply

    def forward(self, x: Tensor) -> Tensor:
        """(B, L, columns) -> (B, L, rows)."""
        x, low, scales = widened(x), self.get_buffer("low"), self.factors("scales")
        if self.form.planes > 1:
            high = self.multiply(x, self.get_buffer("high"), scales * HIGH, zero=MIDDLE)
            product = high + self.multiply(x, low, scales, zero=0)
        else:
            product = self.multiply(x, low, scales, zero=self.form.zero)
        if not self.form.has_min:
            return product
        sums = split_axis(x, -1, [-1, self.form.block]).sum(-1)  # (B, L, blocks)
        return product + nn.functional.linear(sums, self.factors("mins"))


class QuantisedEmbedding(QuantisedMatrix):
    """A table of which only the rows that are looked up leave their blocks."""

    def forward(self, numbers: Tensor) -> Tensor:
        """(B, L) of int64 -> (B, L, columns), of fp32."""
        values = _halves(self._rows("low", numbers))  # (B, L, blocks, block / 2, 2)
        if self.form.planes > 1:
            values = values + (_halves(self._rows("high", numbers)) - MIDDLE) * HIGH
        else:
            values = values - self.form.zero
        values = values * self._factors_of("scales", numbers)
        if self.form.has_min:
            values = values + self._factors_of("mins", numbers)
        return merge_axes(values, 2, 3)

    def _rows(self, name: str, numbers: Tensor) -> Tensor:
        return self.get_buffer(name)[numbers]

    def _factors_of(self, name: str, numbers: Tensor) -> Tensor:
        """Return the scales or the minimums of some rows: (B, L, blocks, 1, 1), of fp32."""
        own = self._rows(name, numbers).float()
        if self.form.group > 1:
            own = merge_axes(own * self._rows(f"group_{name}", numbers).float(), 2, 2)
        return own[..., None, None]


def quantise(module: nn.Module, forms: Mapping[str, BlockForm]) -> nn.Module:
    """Put quantised layers in the place of the linear layers and the tables named, in place.

    Args:
        module: on the meta device or not; the new layers hold zeros.
        forms: by the layers' names.

    Returns:
        The module.
    """
    for name, form in forms.items():
        layer = module.get_submodule(name)
        parent, _, leaf = name.rpartition(".")
        kind = QuantisedEmbedding if isinstance(layer, nn.Embedding) else QuantisedLinear
        rows, columns = layer.get_parameter("weight").shape
        setattr(module.get_submodule(parent), leaf, kind(rows, columns, form))
    return module


def _halves(plane: Tensor) -> Tensor:
    """The four bits of each half of a byte, the lower first: (..., n) of uint8 -> (..., n, 2) of fp32."""
    whole = plane.float()  # graphs have no shift that every library reads alike
    upper = (whole / HIGH).floor()
    return torch.stack([whole - upper * HIGH, upper], dim=-1)
