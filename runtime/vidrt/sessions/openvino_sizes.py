"""For which sizes OpenVINO compiles a graph: those of its runs, as long as they stay the same.

Measured on 7 layers of the 2B transformer in bf16: with sizes that are known, opening and the first step take 2.0 s in
the place of 2.6, further steps 3 to 5 % less, and 1536 tokens a quarter less memory.
"""

from collections.abc import Mapping, Sequence
from typing import Protocol

from vidrt_engines.streaming import LAST
from vidrt_engines.tensors import TensorSpec

Sizes = dict[str, tuple[int, ...]]
"""The axes of each input, -1 for any size; empty for a graph of any sizes."""

ANY: Sizes = {}
_OPEN = -1
# Prompts are of different lengths; the prompt and what is to be avoided take turns.
_VARYING = frozenset({"text_tokens"})
# A second pass has sizes of its own, and steps enough. What comes and goes, as tiles do, is not compiled each time.
_ENOUGH_RUNS, _MOST_KNOWN = 3, 2


class _Shaped(Protocol):
    @property
    def shape(self) -> tuple[int, ...]: ...


class KnownSizes:
    """Decides for which sizes a graph is compiled next; a stage of a video, whose sizes change with each part, for any.

    Args:
        inputs: what the graph takes.
    """

    def __init__(self, inputs: Sequence[TensorSpec]) -> None:
        self._inputs = inputs
        self.is_stage = any(spec.name == LAST for spec in inputs)
        self._compiled: Sizes | None = None
        self._times = self._runs = 0

    def wanted(self, arrays: Mapping[str, _Shaped]) -> Sizes | None:
        """What to compile the graph for before it takes these arrays; None where it is compiled already."""
        sizes = ANY if self.is_stage else {spec.name: _sizes(spec, arrays[spec.name].shape) for spec in self._inputs}
        if self._compiled in (ANY, sizes):
            self._runs += 1
            return None
        is_known = self._times == 0 or (self._runs >= _ENOUGH_RUNS and self._times < _MOST_KNOWN)
        return sizes if is_known else ANY

    def released(self) -> None:
        """Notes that what was compiled is gone; what follows may fail."""
        self._compiled = None

    def compiled(self, sizes: Sizes) -> None:
        """Notes that the graph has been compiled for them, and takes the arrays of a first run."""
        self._compiled, self._runs = sizes, 1
        self._times += 1


def _sizes(spec: TensorSpec, shape: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(_OPEN if axis in _VARYING else size for axis, size in zip(spec.axes, shape, strict=True))
