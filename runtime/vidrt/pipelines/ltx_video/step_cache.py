"""The step cache: velocities that change little from step to step are guessed instead of computed.

How fast a velocity changes along the noise levels is seen between the last two that were computed; as long as it has
changed by less than the threshold since, the next is drawn out from those two in a straight line. TeaCache, FBCache
and MagCache look into the transformer for this; an engine cannot be looked into, and what goes out of it is enough.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from vidrt_engines.guidance import StepGuidance

from vidrt.arrays import FloatArray
from vidrt.cuda.arrays import Array

_TINY = np.float32(1e-12)


@dataclass(frozen=True, kw_only=True)
class CachedPass:
    """What the step cache did in a pass.

    Attributes:
        threshold: how far a velocity may have changed, relative L2.
        steps: how many were made.
        computed: for how many of them the transformer was asked; the others were guessed.
        guess_error_mean, guess_error_max: the relative L2 between the velocity of a step that was computed after
            guessed ones and what would have been guessed for it; None where that never came about. It is an estimate
            of what guessing costs, from the run itself, and no distance from a run without the cache.
    """

    threshold: float
    steps: int
    computed: int
    guess_error_mean: float | None
    guess_error_max: float | None

    def __str__(self) -> str:
        off = "" if self.guess_error_mean is None else f", guesses off by {self.guess_error_mean:.1%} in the mean"
        return f"{self.computed} of {self.steps} steps computed{off}"


class StepCache:
    """Decides for each step of one pass whether its velocity is computed, and guesses those that are not.

    The first steps are computed, the last, and all that follow a change of guidance before there are two to go by.

    Args:
        threshold: how far a velocity may have changed since it was computed, relative L2.
        mask: strengths (S,) of conditions; tokens of strength 1 stay where they are and do not count.
    """

    def __init__(self, threshold: float, mask: FloatArray | None = None) -> None:
        self._threshold = threshold
        self._counted = slice(None) if mask is None else mask < 1
        self._known: list[tuple[np.float32, Any]] = []  # the last two computed: noise levels and velocities
        self._rate = np.float32(np.inf)
        self._rule: StepGuidance | None = None
        self._steps = self._computed = self._guessed = 0
        self._errors: list[float] = []

    @property
    def done(self) -> CachedPass:
        """What was done so far."""
        errors = self._errors
        return CachedPass(
            threshold=self._threshold,
            steps=self._steps,
            computed=self._computed,
            guess_error_mean=sum(errors) / len(errors) if errors else None,
            guess_error_max=max(errors, default=None),
        )

    def velocity(
        self, sigma: np.float32, following: np.float32, rule: StepGuidance, compute: Callable[[], Array]
    ) -> Array:
        """The velocity (B, S, C) of a step, computed or guessed, where `compute` leaves its own.

        Args:
            sigma: the step's noise level.
            following: the one that it leads to; 0 after the last.
            rule: how the step is guided: what was guided otherwise says nothing of it.
            compute: asks the transformer.
        """
        self._steps += 1
        if rule != self._rule:
            self._rule, self._known, self._guessed = rule, [], 0
        if len(self._known) > 1 and following > 0 and self._rate * (self._known[-1][0] - sigma) < self._threshold:
            self._guessed += 1
            guess: Array = _drawn_out(sigma, *self._known)
            return guess
        velocity = compute()
        self._learn(sigma, velocity)
        return velocity

    def _learn(self, sigma: np.float32, velocity: Any) -> None:
        """Keeps a computed velocity, measures how fast it changes, and how far a guess would have been off."""
        self._computed += 1
        if self._guessed:
            self._errors.append(self._distance(_drawn_out(sigma, *self._known), velocity))
            self._guessed = 0
        if self._known:
            level, before = self._known[-1]
            self._rate = np.float32(self._distance(before, velocity)) / (level - sigma)
        self._known = [*self._known[-1:], (sigma, velocity)]

    def _distance(self, values: Any, velocity: Any) -> float:
        """The relative L2 between two velocities (B, S, C), of the video where it is largest."""
        ours, theirs = (np.asarray(array)[:, self._counted] for array in (values, velocity))
        off, whole = (np.square(array).sum(axis=(1, 2)) for array in (ours - theirs, theirs))
        return float(np.sqrt(off / (whole + _TINY)).max())


def _drawn_out(sigma: np.float32, earlier: tuple[np.float32, Any], last: tuple[np.float32, Any]) -> Any:
    """A velocity in a straight line with two, at most as far beyond the last as that is beyond the other."""
    (first_level, first), (level, velocity) = earlier, last
    reach = min((level - sigma) / (first_level - level), np.float32(1))
    return velocity + np.float32(reach) * (velocity - first)
