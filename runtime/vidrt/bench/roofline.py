"""What runs ask of a machine, operations and weights, beside the best that it can do of each."""

from collections.abc import Sequence
from dataclasses import dataclass

from vidrt.bench.machine import Peaks
from vidrt.planning.engines import weights
from vidrt.stopwatch import Work
from vidrt.watched_runs import engine_runs, total_operations


@dataclass(frozen=True, kw_only=True)
class Reached:
    """How near runs came to the machine's best, from 0 to 1.

    Attributes:
        by_products: operations a second, of those in products of fp32 matrices; more than 1 where an engine computes in
            a lower precision, or on more cores than numpy.
        by_memory: bytes of weights a second, of those in copies; what goes through besides is not counted.
    """

    by_products: float
    by_memory: float

    @property
    def is_by_memory(self) -> bool:
        """Whether reading the weights alone takes longer than computing would at best."""
        return self.by_memory > self.by_products

    @property
    def best(self) -> float:
        """The larger: the one that runs cannot be faster than."""
        return max(self.by_products, self.by_memory)

    @property
    def told(self) -> str:
        """The larger as a part of a sentence."""
        of = "best in reading memory" if self.is_by_memory else "best in fp32"
        return f"{self.best:.0%} of this machine's {of}"

    def __str__(self) -> str:
        return f"{self.by_memory:.0%} memory" if self.is_by_memory else f"{self.by_products:.0%}"


@dataclass(frozen=True, kw_only=True)
class Demand:
    """What runs ask of the machine together.

    Attributes:
        flops: floating-point operations; None where the bundle does not say.
        weight_bytes: what is read of weights at least: all of them in each run, and once for a streamed video.
    """

    flops: float | None = None
    weight_bytes: int = 0

    def reached(self, seconds: float, peaks: Peaks) -> Reached | None:
        """How near to the best these come in so many seconds."""
        if self.flops is None or not seconds:
            return None
        return Reached(
            by_products=self.flops / seconds / peaks.flops, by_memory=self.weight_bytes / seconds / peaks.bytes
        )


def demand_of(done: Sequence[Work]) -> Demand:
    """What one component's works ask."""
    runs = engine_runs(done)
    if not runs:
        return Demand()
    held = weights(done[0].engine)
    return Demand(flops=total_operations(runs), weight_bytes=len(runs) * (held.own + held.mapped))
