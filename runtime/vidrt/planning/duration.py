"""How long a run will take, from how fast its engines were seen to be on this machine."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from vidrt_engines.manifest import Engine
from vidrt_engines.names import Component

from vidrt.pipelines.evaluations import Evaluations
from vidrt.planning.phases import NAMES
from vidrt.seen_times import SeenTimes

_NAMES = {Component.VAE_DECODER: "decoding"}  # in whatever way
_MINUTE, _HOUR = 60, 3600
_LEAST, _BRIEF = 0.05, 10


@dataclass(frozen=True, kw_only=True)
class Duration:
    """A phase's time.

    Attributes:
        name: of the phase, as people call it.
        runs: how often its engine runs.
        operations: of all runs; None where the bundle does not say.
        seconds: None where its engine was not seen yet.
    """

    name: str
    runs: int
    operations: float | None
    seconds: float | None


def durations(asked: Iterable[Evaluations], engines: Mapping[str, Engine], seen: SeenTimes) -> list[Duration]:
    """The time of each phase, in the order in which a run comes to them.

    Args:
        asked: what a run asks for.
        engines: by component.
        seen: how fast they were.
    """
    groups: dict[Component, list[Evaluations]] = {}
    for one in asked:
        groups.setdefault(one.component, []).append(one)
    return [_duration(component, group, engines[component], seen) for component, group in groups.items()]


def _duration(component: Component, group: Sequence[Evaluations], engine: Engine, seen: SeenTimes) -> Duration:
    name, runs = _NAMES.get(component, NAMES[component]), sum(one.count for one in group)
    known = engine.operations
    if known is None:
        return Duration(name=name, runs=runs, operations=None, seconds=None)
    pairs = [(one, known.at(one.sizes)) for one in group]
    total = sum(one.count * operations for one, operations in pairs)
    return Duration(name=name, runs=runs, operations=total, seconds=_seconds(engine, pairs, seen))


def _seconds(engine: Engine, pairs: Sequence[tuple[Evaluations, float]], seen: SeenTimes) -> float | None:
    """Of all runs, and until the engine is open each time."""
    total, openings = 0.0, {}
    for one, operations in pairs:
        pace = seen.find(engine, operations, is_streamed=one.is_streamed)
        if pace is None:
            return None
        total += one.count * pace.seconds_for(operations)
        openings[one.phase] = pace.opening
    return total + sum(openings.values())


def duration_lines(found: Sequence[Duration], *, is_at_most: bool = False) -> Iterator[str]:
    """A row for each phase, and how long it takes in all.

    Args:
        found: the phases.
        is_at_most: steps may be left out.
    """
    rows = [(phase.name, _told(phase), f"{phase.runs} {_plural(phase.runs)}") for phase in found]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    yield "Estimated time, by how fast the engines were here:"
    for name, told, runs in rows:
        yield f"{name:<{widths[0]}}  {told:>{widths[1]}}  {runs}"
    known = [phase.seconds for phase in found if phase.seconds is not None]
    if len(known) == len(found):
        yield f"In all {'at most' if is_at_most else 'about'} {_spoken(sum(known))}."


def _told(phase: Duration) -> str:
    if phase.operations is None:
        return "not known"
    return "not known until a run was made" if phase.seconds is None else _spoken(phase.seconds)


def _plural(runs: int) -> str:
    return "run" if runs == 1 else "runs"


def _spoken(seconds: float) -> str:
    """Seconds as people say them."""
    if seconds < _LEAST:
        return "under 0.1 s"
    if seconds < _BRIEF:
        return f"{seconds:.1f} s"
    if seconds < 2 * _MINUTE:
        return f"{seconds:.0f} s"
    if seconds < 2 * _HOUR:
        return f"{seconds / _MINUTE:.0f} min"
    return f"{seconds / _HOUR:.1f} h"
