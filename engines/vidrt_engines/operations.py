"""How many floating-point operations an engine takes, as a sum over its axes."""

import math
from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class OperationTerm:
    """Operations for each item of a product of axes, which may name one twice; of no axes, those of every run."""

    axes: tuple[str, ...]
    flops: float


@dataclass(frozen=True, kw_only=True)
class Operations:
    """The floating-point operations of one run: products of matrices, convolutions, attention.

    A multiplication and an addition are two. What is done to single values is not counted.

    Attributes:
        terms: their sum.
    """

    terms: tuple[OperationTerm, ...]

    def at(self, sizes: Mapping[str, int]) -> float:
        """Operations for axes of these sizes."""
        return max(sum(term.flops * math.prod(sizes[axis] for axis in term.axes) for term in self.terms), 0.0)
