"""What the blocks of each GGUF type hold: integers and what they are multiplied with, taken out of their bytes.

Each function takes blocks (..., nbytes) of uint8. Integers come as a byte each in the order of the numbers, (..., n),
and as `BlockForm` has them: with one plane the four bits themselves, with two the integer plus 128.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import Tensor

OFFSET = 128  # of integers in two planes


@dataclass(frozen=True, kw_only=True)
class Layout:
    """How to take a type's blocks apart; what is `group_…` is fp16, and so are scales and minimums without one."""

    integers: Callable[[Tensor], Tensor]
    factors: dict[str, Callable[[Tensor], Tensor]]


def _half(at: int, sign: int = 1) -> Callable[[Tensor], Tensor]:
    """Take the two bytes from `at` on as a number in fp16."""
    return lambda blocks: sign * blocks[..., at : at + 2].contiguous().view(torch.float16)


def _nibbles(taken: Tensor, run: int) -> Tensor:
    """Of each run of bytes first the lower halves, then the upper."""
    runs = torch.unflatten(taken, -1, (-1, run))
    return torch.stack([runs & 15, runs >> 4], dim=-2).flatten(-3)


def _pairs(taken: Tensor, run: int) -> Tensor:
    """Of each run of bytes the lowest two bits, then the next two, and so on."""
    runs = torch.unflatten(taken, -1, (-1, run))
    return torch.stack([(runs >> shift) & 3 for shift in (0, 2, 4, 6)], dim=-2).flatten(-3)


def _bits(taken: Tensor) -> Tensor:
    """The lowest bit of each byte, then the next, and so on."""
    return torch.stack([(taken >> shift) & 1 for shift in range(8)], dim=-2).flatten(-2)


def _in_order(taken: Tensor) -> Tensor:
    """The bits of each byte, the lowest first."""
    return torch.stack([(taken >> shift) & 1 for shift in range(8)], dim=-1).flatten(-2)


def _five(blocks: Tensor, high_at: int, offset: int) -> Tensor:
    """Q5_0 and Q5_1: 32 fifth bits in four bytes, then sixteen bytes of two halves."""
    high = _in_order(blocks[..., high_at : high_at + 4])
    return (_nibbles(blocks[..., high_at + 4 :], 16) | high << 4) + offset


def _two_k(blocks: Tensor) -> Tensor:
    return _pairs(blocks[..., 16:80], 32) + 8


def _three_k(blocks: Tensor) -> Tensor:
    return (_pairs(blocks[..., 32:96], 32) | _bits(blocks[..., :32]) << 2) + 4


def _four_k(blocks: Tensor) -> Tensor:
    return _nibbles(blocks[..., 16:], 32)


def _five_k(blocks: Tensor) -> Tensor:
    return (_nibbles(blocks[..., 48:], 32) | _bits(blocks[..., 16:48]) << 4) + OFFSET


def _six_k(blocks: Tensor) -> Tensor:
    return (_nibbles(blocks[..., :128], 64) | _pairs(blocks[..., 128:192], 32) << 4) + (OFFSET - 32)


def _three_k_scales(blocks: Tensor) -> Tensor:
    """Sixteen of six bits, less 32: the lower four in eight bytes, the upper two in four."""
    low, high = _nibbles(blocks[..., 96:104], 8), _pairs(blocks[..., 104:108], 4)
    return (low | high << 4).to(torch.int8) - 32


def _sixes(upper: int) -> Callable[[Tensor], Tensor]:
    """Q4_K and Q5_K: eight scales (`upper` 0) or minimums (4) of six bits in the twelve bytes from 4 on.

    The first four lie whole in four bytes; of the others the lower four bits in the last four bytes, and the upper two
    above the first four.
    """

    def take(blocks: Tensor) -> Tensor:
        whole, rest = blocks[..., 4 + upper : 8 + upper], blocks[..., 12:16]
        return torch.cat([whole & 63, (rest >> upper) & 15 | (whole >> 2) & 48], dim=-1).to(torch.int8)

    return take


_SIXES = {
    "scales": _sixes(0),
    "mins": _sixes(4),
    "group_scales": _half(0),
    "group_mins": _half(2, sign=-1),  # a block's minimum is taken off
}

LAYOUTS = {
    "Q4_0": Layout(integers=lambda blocks: _nibbles(blocks[..., 2:], 16), factors={"scales": _half(0)}),
    "Q4_1": Layout(
        integers=lambda blocks: _nibbles(blocks[..., 4:], 16), factors={"scales": _half(0), "mins": _half(2)}
    ),
    "Q5_0": Layout(integers=lambda blocks: _five(blocks, 2, OFFSET - 16), factors={"scales": _half(0)}),
    "Q5_1": Layout(integers=lambda blocks: _five(blocks, 4, OFFSET), factors={"scales": _half(0), "mins": _half(2)}),
    "Q8_0": Layout(integers=lambda blocks: blocks[..., 2:] ^ OFFSET, factors={"scales": _half(0)}),
    "Q2_K": Layout(
        integers=_two_k,
        factors={
            "scales": lambda blocks: (blocks[..., :16] & 15).to(torch.int8),
            "mins": lambda blocks: (blocks[..., :16] >> 4).to(torch.int8),
            "group_scales": _half(80),
            "group_mins": _half(82, sign=-1),
        },
    ),
    "Q3_K": Layout(integers=_three_k, factors={"scales": _three_k_scales, "group_scales": _half(108)}),
    "Q4_K": Layout(integers=_four_k, factors=_SIXES),
    "Q5_K": Layout(integers=_five_k, factors=_SIXES),
    "Q6_K": Layout(
        integers=_six_k,
        factors={
            "scales": lambda blocks: blocks[..., 192:208].contiguous().view(torch.int8),
            "group_scales": _half(208),
        },
    ),
}
