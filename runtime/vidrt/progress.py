"""Progress of long work: a bar on a terminal, plain lines elsewhere, nothing when quiet.

with progress.task("denoising", total=40, unit="step") as task:
    task.advance()
"""

import contextlib
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from typing import Protocol, TextIO

# a plain line after each tenth of the work, or after this many seconds where that comes first
_PARTS = 10
_SECONDS = 30.0


class Task(Protocol):
    """One piece of long work."""

    def advance(self, count: int = 1) -> None:
        """Says that `count` more units are done."""


class Progress(Protocol):
    """Where long work says how far it has come."""

    def task(self, name: str, *, total: int, unit: str = "step") -> AbstractContextManager[Task]:
        """Begins work of `total` units, which ends with the context."""

    def note(self, line: str) -> None:
        """Shows one line of information."""


def make_progress(*, quiet: bool, stream: TextIO | None = None) -> Progress:
    """Chooses how to show progress.

    Args:
        quiet: Show nothing.
        stream: Where to; stderr if not given.
    """
    if quiet:
        return SilentProgress()
    stream = sys.stderr if stream is None else stream
    return BarProgress(stream) if stream.isatty() else PlainProgress(stream)


class SilentProgress:
    """Shows nothing."""

    @contextlib.contextmanager
    def task(self, name: str, *, total: int, unit: str = "step") -> Iterator[Task]:  # noqa: ARG002
        """See `Progress.task`."""
        yield _SilentTask()

    def note(self, line: str) -> None:
        """See `Progress.note`."""


class BarProgress:
    """Bars for a terminal."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    @contextlib.contextmanager
    def task(self, name: str, *, total: int, unit: str = "step") -> Iterator[Task]:
        """See `Progress.task`."""
        from tqdm import tqdm

        # miniters: each step shows at once, also a slow one after many fast ones
        with tqdm(desc=name, total=total, unit=f" {unit}", file=self._stream, dynamic_ncols=True, miniters=1) as bar:
            yield _BarTask(bar.update)

    def note(self, line: str) -> None:
        """See `Progress.note`; above the bars where there are any."""
        from tqdm import tqdm

        tqdm.write(line, file=self._stream)


class PlainProgress:
    """Lines for a file or a pipe: the first unit, each tenth or half minute, and the end.

    Args:
        stream: Where to.
        clock: Seconds from any beginning.
    """

    def __init__(self, stream: TextIO, clock: Callable[[], float] = time.monotonic) -> None:
        self._stream = stream
        self._clock = clock

    @contextlib.contextmanager
    def task(self, name: str, *, total: int, unit: str = "step") -> Iterator[Task]:
        """See `Progress.task`."""
        task = _PlainTask(name, total, unit, self._clock, self.note)
        yield task
        task.finish()

    def note(self, line: str) -> None:
        """See `Progress.note`."""
        self._stream.write(f"{line}\n")
        self._stream.flush()


class _SilentTask:
    def advance(self, count: int = 1) -> None:
        pass


class _BarTask:
    def __init__(self, update: Callable[[int], object]) -> None:
        self._update = update

    def advance(self, count: int = 1) -> None:
        self._update(count)


class _PlainTask:
    def __init__(
        self, name: str, total: int, unit: str, clock: Callable[[], float], show: Callable[[str], None]
    ) -> None:
        self._name, self._total, self._unit, self._clock, self._show = name, total, unit, clock, show
        self._done = 0
        self._begin = clock()
        # what was done, and when, at the last line
        self._shown: tuple[int, float] | None = None

    def advance(self, count: int = 1) -> None:
        self._done += count
        now = self._clock()
        # the end has its own line
        if 0 < self._done < self._total and self._due(now):
            self._shown = self._done, now
            self._show(self._line(now - self._begin))

    def finish(self) -> None:
        done = f"{self._done}" if self._done == self._total else f"{self._done} of {self._total}"
        self._show(f"{self._name}: {done} {_plural(self._unit, self._total)} in {_clock_face(self._elapsed())}")

    def _elapsed(self) -> float:
        return self._clock() - self._begin

    def _due(self, now: float) -> bool:
        if self._shown is None:
            return True
        done, then = self._shown
        return (self._done - done) * _PARTS >= self._total or now - then >= _SECONDS

    def _line(self, elapsed: float) -> str:
        left = elapsed / self._done * (self._total - self._done)
        count = f"{self._unit} {self._done}/{self._total}"
        return f"{self._name}: {count}, {_clock_face(elapsed)} so far, {_clock_face(left)} left"


def _plural(unit: str, count: int) -> str:
    return unit if count == 1 else f"{unit}s"


def _clock_face(seconds: float) -> str:
    minutes, seconds = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{seconds:02d}" if hours else f"{minutes}:{seconds:02d}"
