"""From what engines did to a table: seconds, memory, how near to the machine's best, and what to look at first."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from statistics import median

from vidrt.bench.machine import Peaks
from vidrt.bench.memory import Samples
from vidrt.bench.roofline import Demand, Reached, demand_of
from vidrt.stopwatch import Work


@dataclass(frozen=True, kw_only=True)
class Phase:
    """What one component did in a run.

    Attributes:
        component: its name.
        opening: seconds until its engine was open, all openings together.
        runs: how often it ran.
        first, typical: seconds of its first run, and of the median of all.
        total: seconds of all runs.
        anonymous, mapped: bytes at its peak, of the whole process; None where the system does not tell.
        demand: what all runs ask of the machine.
    """

    component: str
    opening: float
    runs: int
    first: float
    typical: float
    total: float
    anonymous: int | None = None
    mapped: int | None = None
    demand: Demand

    def reached(self, peaks: Peaks | None) -> Reached | None:
        """How much of the machine's best its runs reached; None where the operations or the best are not known."""
        return None if peaks is None else self.demand.reached(self.total, peaks)


def phases(done: Sequence[Work], samples: Samples) -> list[Phase]:
    """Gathers what engines did by component, in the order in which they began.

    Args:
        done: by a stopwatch.
        samples: of the memory meanwhile.
    """
    names = dict.fromkeys(work.component for work in sorted(done, key=lambda work: work.begin))
    return [_phase(name, [work for work in done if work.component == name], samples) for name in names]


def _phase(name: str, done: Sequence[Work], samples: Samples) -> Phase:
    runs = [work.seconds for work in done if not work.is_opening]
    peak = samples.peak(min(work.begin for work in done), max(work.end for work in done))
    return Phase(
        component=name,
        opening=sum(work.seconds for work in done if work.is_opening),
        runs=len(runs),
        first=runs[0] if runs else 0.0,
        typical=median(runs) if runs else 0.0,
        total=sum(runs),
        anonymous=None if peak is None else peak.anonymous,
        mapped=None if peak is None else peak.mapped,
        demand=demand_of(done),
    )


HEADINGS = ("phase", "opening", "runs", "first", "median", "all", "share", "own memory", "mapped", "of peak")


def rows(done: Sequence[Phase], seconds: float, peaks: Peaks | None) -> Iterator[tuple[str, ...]]:
    """The table's rows as text; `seconds` is what the whole run took."""
    for phase in done:
        reached = phase.reached(peaks)
        yield (
            phase.component, f"{phase.opening:.2f} s", str(phase.runs), f"{phase.first:.3f} s",
            f"{phase.typical:.3f} s", f"{phase.total:.2f} s", f"{(phase.opening + phase.total) / seconds:.0%}",
            _size(phase.anonymous), _size(phase.mapped), "-" if reached is None else str(reached),
        )  # fmt: skip


def advice(done: Sequence[Phase], seconds: float, peaks: Peaks | None) -> str:
    """Which phase takes the most of a run, and what there is to do about it."""
    slowest = max(done, key=lambda phase: phase.opening + phase.total)
    share = (slowest.opening + slowest.total) / seconds
    told = f"{slowest.component} takes {share:.0%} of the run"
    if slowest.opening > slowest.total:
        return f"{told}, most of it opening: a service that keeps it loaded (keep_loaded=True) pays for that once."
    reached = slowest.reached(peaks)
    return f"{told}." if reached is None else f"{told} at {reached.told}: {_cure(reached)}."


def _cure(reached: Reached) -> str:
    if reached.best < _NEAR:
        return "it waits for memory or for single operators"
    if reached.is_by_memory:
        return "it waits for its weights: fewer runs, more videos in one run, or weights in fewer bits"
    return "fewer steps or tokens, or a lower precision"


_NEAR = 0.5


def _size(count: int | None) -> str:
    return "-" if count is None else f"{count / 1e6:.0f} MB"
