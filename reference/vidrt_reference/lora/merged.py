"""Weights with LoRAs in them, made one at a time: in fp32, a few rows after the other, and rounded once."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import torch

from vidrt_reference.checkpoint.errors import CheckpointError
from vidrt_reference.checkpoint.read import read_tensor

if TYPE_CHECKING:
    from torch import Tensor

    from vidrt_reference.checkpoint.stored import StoredTensor

_BLOCK = 1 << 20  # numbers made at once


@dataclass(frozen=True, kw_only=True)
class LowRank:
    """`scale * up @ down`: (outputs, rank) times (rank, inputs)."""

    scale: float
    down: StoredTensor
    up: StoredTensor

    def sources(self) -> tuple[StoredTensor, ...]:
        """What it is made from."""
        return self.down, self.up

    def rows(self, begin: int, end: int) -> Tensor:
        """Some rows of it, in fp32."""
        return read_tensor(self.up)[begin:end].float() @ read_tensor(self.down).float() * self.scale


@dataclass(frozen=True, kw_only=True)
class Difference:
    """`scale * value`, of the weight's own shape."""

    scale: float
    value: StoredTensor

    def sources(self) -> tuple[StoredTensor, ...]:
        """What it is made from."""
        return (self.value,)

    def rows(self, begin: int, end: int) -> Tensor:
        """Some rows of it, in fp32."""
        return read_tensor(self.value)[begin:end].float() * self.scale


Term = LowRank | Difference


@dataclass(frozen=True, kw_only=True)
class Merged:
    """A recipe: a stored tensor and what is added to it."""

    base: StoredTensor
    terms: tuple[Term, ...]

    def ingredients(self) -> tuple[tuple[str, StoredTensor], ...]:
        """All that decides the value, which so is known without being made: tensors, and what is done with each."""
        added = ((f"{type(term).__name__} {term.scale!r}", source) for term in self.terms for source in term.sources())
        return (("base", self.base), *added)

    def make(self) -> Tensor:
        """Add, in fp32, and round to the base's type.

        Raises:
            CheckpointError: the sum is too large for the type.
        """
        base = read_tensor(self.base)
        made = torch.empty_like(base)
        rows = len(base)
        step = max(1, _BLOCK * rows // max(1, base.numel()))
        for begin in range(0, rows, step):
            block = slice(begin, min(begin + step, rows))
            value = base[block].to(torch.promote_types(base.dtype, torch.float32), copy=True)
            for term in self.terms:
                value += term.rows(block.start, block.stop)
            made[block] = value
            if not math.isfinite(float(made[block].float().sum())):
                self._check(base[block], made[block])
        return made

    def _check(self, base: Tensor, made: Tensor) -> None:
        if bool(base.isfinite().all()) and not bool(made.isfinite().all()):
            raise CheckpointError(
                f"{self.base.name} with its LoRAs has values that {self.base.dtype} cannot hold: use smaller scales."
            )


def merged(base: StoredTensor, *terms: Term) -> StoredTensor:
    """A stored tensor with something added; what has been added to it before is rounded together with that."""
    before = base.recipe
    if isinstance(before, Merged):
        return replace(base, recipe=Merged(base=before.base, terms=(*before.terms, *terms)))
    return replace(base, recipe=Merged(base=base, terms=terms))
