"""The named tensors that go into and come out of each component."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

Axis = str


@dataclass(frozen=True, kw_only=True)
class TensorSpec:
    """One input or output of an engine.

    `axes` has an entry per dimension: a number in digits for a fixed size, else the name of a dynamic axis. The same
    name stands for the same size in every tensor of the engine.
    """

    name: str
    dtype: str
    axes: tuple[Axis, ...]

    def mismatch(self, dtype: str, shape: Sequence[int], bound: dict[str, int]) -> str | None:
        """Says what is wrong with an array, or None; `bound` collects the sizes of dynamic axes across tensors."""
        if dtype != self.dtype:
            return f"'{self.name}' should be {self.dtype}, not {dtype}"
        if len(shape) != len(self.axes):
            return f"'{self.name}' should have the axes ({', '.join(self.axes)}), not the shape {tuple(shape)}"
        for axis, size in zip(self.axes, shape, strict=True):
            expected = int(axis) if axis.isdigit() else bound.setdefault(axis, size)
            if size != expected:
                return f"axis '{axis}' of '{self.name}' should be {expected}, not {size}"
        return None


def check_arrays(specs: Sequence[TensorSpec], arrays: Mapping[str, tuple[str, Sequence[int]]]) -> str | None:
    """Says what is wrong with a set of named (dtype, shape) pairs, or None: names, types, ranks, sizes."""
    wanted = {spec.name for spec in specs}
    if missing := wanted - arrays.keys():
        return f"missing: {', '.join(sorted(missing))}"
    if unknown := arrays.keys() - wanted:
        return f"unknown: {', '.join(sorted(unknown))}; known: {', '.join(sorted(wanted))}"
    bound: dict[str, int] = {}
    problems = (spec.mismatch(*arrays[spec.name], bound) for spec in specs)
    return next((problem for problem in problems if problem), None)
