"""At which sizes an engine is checked."""

from collections.abc import Sequence
from dataclasses import dataclass

from vidrt_engines.profiles import Profile

_ENDS = {"min": "minimum", "opt": "optimum", "max": "maximum"}


@dataclass(frozen=True, kw_only=True)
class Shape:
    """Sizes to run at, and what they are called."""

    name: str
    sizes: dict[str, int]
    profile: int


def shapes_of(profiles: Sequence[Profile]) -> list[Shape]:
    """The minimum, optimum and maximum of each profile, each once, smallest first."""
    shapes: dict[tuple[tuple[str, int], ...], tuple[str, int]] = {}
    for number, profile in enumerate(profiles, 1):
        for end in ("min", "opt", "max"):
            sizes = {axis: int(getattr(span, end)) for axis, span in sorted(profile.items())}
            of = f" of profile {number}" if len(profiles) > 1 else ""
            shapes.setdefault(tuple(sizes.items()), (f"the {_ENDS[end]}{of}", number - 1))
    found = [Shape(name=name, sizes=dict(sizes), profile=number) for sizes, (name, number) in shapes.items()]
    return sorted(found, key=lambda shape: sum(shape.sizes.values()))
