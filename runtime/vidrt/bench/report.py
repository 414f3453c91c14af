"""From what engines did to a table: seconds, memory, how near to the machine's best, and what to look at first."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from statistics import median

from vidrt.bench.machine import Peaks
from vidrt.bench.memory import Samples
from vidrt.bench.stopwatch import Work


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
        flops: floating-point operations of all runs; None where the bundle does not say.
    """

    component: str
    opening: float
    runs: int
    first: float
    typical: float
    total: float
    anonymous: int | None = None
    mapped: int | None = None
    flops: float | None = None

    def share_of(self, peaks: Peaks) -> float | None:
        """How much of the machine's best in products of matrices its runs reached, from 0 to 1."""
        return None if self.flops is None or not self.total else self.flops / self.total / peaks.flops


def phases(done: Sequence[Work], samples: Samples, flops: Mapping[str, float | None]) -> list[Phase]:
    """Gathers what engines did by component, in the order in which they began.

    Args:
        done: by a stopwatch.
        samples: of the memory meanwhile.
        flops: of all runs of a component, by its name.
    """
    names = dict.fromkeys(work.component for work in sorted(done, key=lambda work: work.begin))
    return [_phase(name, [work for work in done if work.component == name], samples, flops.get(name)) for name in names]


def _phase(name: str, done: Sequence[Work], samples: Samples, flops: float | None) -> Phase:
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
        flops=flops,
    )


HEADINGS = ("phase", "opening", "runs", "first", "median", "all", "share", "own memory", "mapped", "of peak")


def rows(done: Sequence[Phase], seconds: float, peaks: Peaks) -> Iterator[tuple[str, ...]]:
    """The table's rows as text; `seconds` is what the whole run took."""
    for phase in done:
        share = phase.share_of(peaks)
        yield (
            phase.component, f"{phase.opening:.2f} s", str(phase.runs), f"{phase.first:.3f} s",
            f"{phase.typical:.3f} s", f"{phase.total:.2f} s", f"{(phase.opening + phase.total) / seconds:.0%}",
            _size(phase.anonymous), _size(phase.mapped), "-" if share is None else f"{share:.0%}",
        )  # fmt: skip


def advice(done: Sequence[Phase], seconds: float, peaks: Peaks) -> str:
    """Which phase takes the most of a run, and what there is to do about it."""
    slowest = max(done, key=lambda phase: phase.opening + phase.total)
    share = (slowest.opening + slowest.total) / seconds
    told = f"{slowest.component} takes {share:.0%} of the run"
    if slowest.opening > slowest.total:
        return f"{told}, most of it opening: a service that keeps it loaded (keep_loaded=True) pays for that once."
    reached = slowest.share_of(peaks)
    if reached is None:
        return f"{told}."
    if reached > _NEAR:
        return f"{told} at {reached:.0%} of this machine's best in fp32: fewer steps or tokens, or a lower precision."
    return f"{told} at {reached:.0%} of this machine's best in fp32: it waits for memory or for single operators."


_NEAR = 0.5


def _size(count: int | None) -> str:
    return "-" if count is None else f"{count / 1e6:.0f} MB"
