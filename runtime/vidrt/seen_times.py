"""How fast each engine was seen to be on this machine, kept on disk, to tell how long a run will take."""

import contextlib
import hashlib
import json
import math
import os
import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from vidrt_engines.errors import BundleError
from vidrt_engines.jsonable import decode, encode, read_json
from vidrt_engines.manifest import Engine
from vidrt_engines.places import seen_times_file

from vidrt import cpu
from vidrt.devices import Device, described
from vidrt.stopwatch import Work
from vidrt.watched_runs import engine_runs

FORMAT = 1
MOST_ENGINES, MOST_SIZES = 64, 8
_ALIKE = 1.05  # sizes whose operations are less than this many times each other's are the same


@dataclass(frozen=True, kw_only=True)
class Seen:
    """Runs of one size.

    Attributes:
        operations: of one run.
        seconds: of one run, in the mean.
        opening: seconds until the engine was open; 0 where it was open already.
    """

    operations: float
    seconds: float
    opening: float = 0.0

    def seconds_for(self, operations: float) -> float:
        """How long a run of so many operations takes at this pace."""
        return self.seconds / self.operations * operations


class SeenTimes:
    """What was seen of engines, by all that their pace depends on; the last of each size.

    What cannot be read or written is as good as not there: it never makes a run fail.

    Args:
        device: where the engines run.
        path: the file; None for the one in the user's cache.
    """

    def __init__(self, device: Device, path: Path | None = None) -> None:
        self._path = seen_times_file() if path is None else path
        self._machine = [described(device), cpu.name(), cpu.threads()]
        self._known = _read(self._path)

    def find(self, engine: Engine, operations: float, *, is_streamed: bool) -> Seen | None:
        """What was seen of an engine at the size that is nearest to a run of so many operations."""
        seen = self._known.get(self._key(engine, is_streamed=is_streamed), ())
        return min(seen, key=lambda one: abs(math.log(one.operations / operations)), default=None)

    def keep(self, done: Sequence[Work]) -> None:
        """Writes down what engines did."""
        self._known = _read(self._path)  # others may have written meanwhile
        for component in dict.fromkeys(work.component for work in done):
            self._learn([work for work in done if work.component == component])
        with contextlib.suppress(OSError):
            _write(self._path, dict(list(self._known.items())[-MOST_ENGINES:]))

    def _learn(self, works: Sequence[Work]) -> None:
        for is_streamed in (False, True):
            own = [work for work in works if (work.stage is not None) is is_streamed]
            if not (fresh := _seen(own)):
                continue
            key = self._key(own[0].engine, is_streamed=is_streamed)
            old = (one for one in self._known.pop(key, ()) if not any(_are_alike(one, other) for other in fresh))
            self._known[key] = (*old, *fresh)[-MOST_SIZES:]  # last in the file, where nothing is forgotten

    def _key(self, engine: Engine, *, is_streamed: bool) -> str:
        text = json.dumps([engine.identity, is_streamed, *self._machine])
        return hashlib.sha256(text.encode()).hexdigest()[:24]


def _seen(works: Sequence[Work]) -> list[Seen]:
    """What an engine did, by size, in the order in which sizes were met."""
    groups: list[list[Seen]] = []
    opening = _opening(works)
    for run in engine_runs(works):
        if not run.operations or run.seconds <= 0:
            continue
        one = Seen(operations=run.operations, seconds=run.seconds, opening=opening)
        group = next((group for group in groups if _are_alike(group[0], one)), None)
        if group is None:
            groups.append([one])
        else:
            group.append(one)
    return [
        Seen(operations=_mean(g.operations for g in group), seconds=_mean(g.seconds for g in group), opening=opening)
        for group in groups
    ]


def _opening(works: Sequence[Work]) -> float:
    """Seconds until all that did these works was open, once."""
    openings = [work for work in works if work.is_opening]
    parts = {work.stage for work in openings}
    return sum(_mean(work.seconds for work in openings if work.stage == part) for part in parts)


def _mean(values: Iterable[float]) -> float:
    return statistics.fmean(values)


def _are_alike(one: Seen, other: Seen) -> bool:
    return 1 / _ALIKE < one.operations / other.operations < _ALIKE


@dataclass(frozen=True, kw_only=True)
class _File:
    """What lies on disk: by engine and machine, those seen last at the end."""

    format: int
    engines: dict[str, tuple[Seen, ...]]


def _read(path: Path) -> dict[str, tuple[Seen, ...]]:
    try:
        content = decode(_File, read_json(path), path.name)
    except BundleError:
        return {}
    seen = (one for group in content.engines.values() for one in group)
    is_sound = content.format == FORMAT and all(one.operations > 0 < one.seconds and one.opening >= 0 for one in seen)
    return content.engines if is_sound else {}


def _write(path: Path, engines: dict[str, tuple[Seen, ...]]) -> None:
    """Writes the file so that a reader sees the old one or the new one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        beside.write_text(json.dumps(encode(_File(format=FORMAT, engines=engines))), encoding="utf-8")
        beside.replace(path)
    finally:
        beside.unlink(missing_ok=True)
