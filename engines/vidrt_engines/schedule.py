"""Sampling schedules as data; the runtime turns them into sigmas."""

from dataclasses import dataclass
from enum import StrEnum


class Sampler(StrEnum):
    """The form of a schedule before it is shifted."""

    LINSPACE = "linspace"
    LINEAR_QUADRATIC = "linear-quadratic"
    LIST = "list"


@dataclass(frozen=True, kw_only=True)
class Shift:
    """A shift that grows linearly with the token count: `base` at `base_tokens`, `maximum` at `max_tokens`."""

    base: float
    maximum: float
    base_tokens: int
    max_tokens: int

    def at(self, tokens: int) -> float:
        """The exponent mu for a number of latent tokens."""
        slope = (self.maximum - self.base) / (self.max_tokens - self.base_tokens)
        return slope * tokens + (self.base - slope * self.base_tokens)


@dataclass(frozen=True, kw_only=True)
class Schedule:
    """How the sigmas of a run come about.

    Attributes:
        sampler: the form; LIST takes `sigmas` verbatim.
        steps: the default number of steps; `sigmas` has as many entries where it is a list.
        shift: shifts towards noise for more tokens (Stable Diffusion 3's form).
        static_shift: the shift of a scheduler without a dynamic one.
        terminal: stretches the schedule so that its last sigma is this.
        skip_first, skip_last: steps cut from the finished list.
    """

    sampler: Sampler
    steps: int
    sigmas: tuple[float, ...] = ()
    shift: Shift | None = None
    static_shift: float = 1.0
    terminal: float | None = None
    skip_first: int = 0
    skip_last: int = 0
