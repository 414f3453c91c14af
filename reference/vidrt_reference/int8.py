"""Linear layers in whole numbers of 8 bits: weights once, with a scale for each output, activations as they come."""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Protocol

import torch
from torch import Tensor, nn

from vidrt_reference.precision import widened

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

LARGEST = 127
_STEPS = 255
_TINY = 1e-30  # what a row of zeros is divided by


class Multiply(Protocol):
    """What `multiply` is called like: the layers keep it in `self.multiply`, where another may take its place."""

    def __call__(self, x: Tensor, weight: Tensor, scales: Tensor) -> Tensor:
        """Multiply by a matrix of whole numbers; shapes as in `multiply`."""
        ...


def multiply(x: Tensor, weight: Tensor, scales: Tensor) -> Tensor:
    """Round activations to 256 even steps between their least and their largest, and multiply whole numbers.

    Args:
        x: (..., K), of fp32.
        weight: (K, N) of int8.
        scales: (N,) of fp32.

    Returns:
        (..., N).
    """
    least, most = x.amin().clamp_max(0), x.amax().clamp_min(0)
    step = ((most - least) / _STEPS).clamp_min(_TINY)
    zero = (-least / step).round()
    numbers = ((x / step).round() + zero).clamp(0, _STEPS) - zero
    return (numbers.double() @ weight.double()).float() * (step * scales)


class Int8Linear(nn.Module):
    """A linear layer whose matrix is kept, and multiplied, in whole numbers.

    Each row of what comes in is first divided by its largest value, so that one loud token does not cost the others
    their digits.
    """

    def __init__(self, columns: int, rows: int, *, bias: bool) -> None:
        super().__init__()
        self.multiply: Multiply = multiply
        self.register_buffer("numbers", torch.zeros(columns, rows, dtype=torch.int8))
        self.register_buffer("scales", torch.zeros(rows))
        self.bias = nn.Parameter(torch.zeros(rows)) if bias else None

    def forward(self, x: Tensor) -> Tensor:
        """(..., columns) -> (..., rows), of fp32."""
        x = widened(x)
        largest = x.abs().amax(-1, keepdim=True).clamp_min(_TINY)
        product = self.multiply(x / largest, self.get_buffer("numbers"), self.get_buffer("scales")) * largest
        return product if self.bias is None else product + widened(self.bias)


def in_whole_numbers(matrix: Tensor) -> tuple[Tensor, Tensor]:
    """Round a matrix to whole numbers, each row by its own scale.

    Instructions of CPUs without ones made for int8 add the products of two neighbours in 16 bits and cut off what goes
    beyond. No two neighbours of one sign here add up to more than 128, so that nothing can: 128 times 255 still fits.
    All CPUs so compute the same.

    Args:
        matrix: (rows, columns), as linear layers keep it.

    Returns:
        Whole numbers (rows, columns) of int8, and scales (rows,) of fp32.
    """
    wide = matrix.float()
    padded = nn.functional.pad(wide, (0, wide.shape[1] % 2))
    pairs = padded[:, 0::2] + padded[:, 1::2]
    largest = torch.maximum(wide.abs().amax(1), pairs.abs().amax(1)).clamp_min(_TINY)
    scales = largest / LARGEST
    return (wide / scales[:, None]).round().to(torch.int8), scales


def linear_layers(module: nn.Module, kept: Sequence[str] = ()) -> list[str]:
    """Name the linear layers of a module, but for those that match a pattern, as in a shell."""
    return [
        name
        for name, part in module.named_modules()
        if isinstance(part, nn.Linear) and not any(fnmatchcase(name, pattern) for pattern in kept)
    ]


def to_int8(module: nn.Module, layers: Iterable[str]) -> nn.Module:
    """Put `Int8Linear` in the place of the linear layers named, in place; on the meta device or not.

    Returns:
        The module.
    """
    for name in layers:
        layer = module.get_submodule(name)
        assert isinstance(layer, nn.Linear)
        parent, _, leaf = name.rpartition(".")
        other = Int8Linear(layer.in_features, layer.out_features, bias=layer.bias is not None)
        setattr(module.get_submodule(parent), leaf, other)
    return module
