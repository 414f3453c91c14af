"""Optimisation profiles: for which sizes of its axes an engine was built, and which of several profiles a run takes."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

# A size this many times smaller or larger than what a profile was tuned for runs, but not at its best.
FAR = 1.5


@dataclass(frozen=True, kw_only=True)
class Span:
    """The sizes that an axis may have: at least `min`, at most `max`, tuned for `opt`."""

    min: int
    opt: int
    max: int

    def __contains__(self, size: int) -> bool:
        return self.min <= size <= self.max

    def __str__(self) -> str:
        return f"{self.min}:{self.opt}:{self.max}"


Profile = Mapping[str, Span]
"""A span for each named axis."""


def fits(profile: Profile, sizes: Mapping[str, int]) -> bool:
    """Whether every axis has a size that the profile allows."""
    return all(size in profile[axis] for axis, size in sizes.items())


def tightest(profiles: Sequence[Profile], sizes: Mapping[str, int]) -> int | None:
    """The number of the profile that is tuned for sizes nearest to these among those that fit, or None."""
    fitting = [number for number, profile in enumerate(profiles) if fits(profile, sizes)]
    return min(fitting, key=lambda number: distance(profiles[number], sizes), default=None)


def distance(profile: Profile, sizes: Mapping[str, int]) -> float:
    """By how many times, over all axes, the sizes differ from what the profile is tuned for; 1 is exactly that."""
    ratios = (abs(math.log(size / profile[axis].opt)) for axis, size in sizes.items())
    return math.exp(sum(ratios))


def is_far(profile: Profile, sizes: Mapping[str, int]) -> bool:
    """Whether the volume of the sizes is far from what the profile is tuned for."""
    ratio = math.prod(size / profile[axis].opt for axis, size in sizes.items())
    return not 1 / FAR <= ratio <= FAR
