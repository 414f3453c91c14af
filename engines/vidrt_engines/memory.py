"""What an engine's values take in memory while it runs, as a sum over its axes."""

import math
from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Term:
    """Bytes for each item of a product of axes; of no axes, bytes that are always there."""

    axes: tuple[str, ...]
    bytes: float


@dataclass(frozen=True, kw_only=True)
class Activations:
    """The most that a run's values take at once in fp32, without its inputs and its weights.

    Counted operator by operator, each of which gives its values back as soon as nobody needs them: what plays the
    engine may fuse operators.

    Attributes:
        terms: their sum.
        widened: bytes of the largest weight in fp32, where weights are kept in half of that and widened when they are
            used.
    """

    terms: tuple[Term, ...]
    widened: int = 0

    def at(self, sizes: Mapping[str, int]) -> int:
        """Bytes for axes of these sizes."""
        total = sum(term.bytes * math.prod(sizes[axis] for axis in term.axes) for term in self.terms)
        return max(round(total), 0)
