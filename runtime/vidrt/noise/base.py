"""What every generator of noise can do."""

from collections.abc import Sequence
from typing import Protocol

from vidrt.arrays import FloatArray


class Generator(Protocol):
    """A stream of normal numbers; a deep copy goes on from where the stream stands."""

    def normal(self, shape: Sequence[int]) -> FloatArray:
        """Draws standard normal numbers: float32 of that shape."""

    def strided(self, shape: Sequence[int]) -> FloatArray:
        """Draws those of a tensor that another order of its axes has made: here `shape` is in the order of memory."""
