"""What a build tells on the way: a line for each component, and how far its weights are with the time left."""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TextIO

PLAIN_SECONDS = 5.0


class Console:
    """Speaks on stderr: a bar where it is a terminal, plain lines elsewhere, nothing when quiet."""

    def __init__(self, *, quiet: bool = False, stream: TextIO | None = None) -> None:
        self._quiet, self._stream = quiet, stream or sys.stderr

    def note(self, line: str) -> None:
        """Prints one line."""
        if not self._quiet:
            print(line, file=self._stream, flush=True)

    @contextmanager
    def bytes_of(self, what: str, total: int) -> Iterator[Callable[[int], None]]:
        """Yields a function that takes how many bytes have been dealt with since its last call."""
        with self._count(what, total, "B") as advance:
            yield advance

    @contextmanager
    def _count(self, what: str, total: int, unit: str) -> Iterator[Callable[[int], None]]:
        if self._quiet or not total:
            yield lambda _: None
        elif self._stream.isatty():
            from tqdm import tqdm

            bar_format = None if unit else "{desc}: {percentage:3.0f}%|{bar}| {elapsed}, {remaining} left"
            with tqdm(
                total=total, desc=what, unit=unit, unit_scale=True, leave=False, file=self._stream,
                bar_format=bar_format,
            ) as bar:  # fmt: skip
                yield lambda count: bar.update(count) and None
        else:
            yield _PlainCount(self, what, total).advance

    @contextmanager
    def share_of(self, what: str) -> Iterator[Callable[[float], None]]:
        """Yields a function that takes the part of the work that has been done, 0 to 1."""
        thousandths, done = 1000, 0
        with self._count(what, thousandths, "") as advance:

            def tell(part: float) -> None:
                nonlocal done
                if (now := int(part * thousandths)) > done:
                    advance(now - done)
                    done = now

            yield tell


class _PlainCount:
    """A line every few seconds."""

    def __init__(self, console: Console, what: str, total: int) -> None:
        self._console, self._what, self._total = console, what, total
        self._done, self._start = 0, time.monotonic()
        self._told = self._start

    def advance(self, count: int) -> None:
        self._done += count
        now = time.monotonic()
        if now - self._told < PLAIN_SECONDS:
            return
        self._told = now
        left = (now - self._start) * (self._total / self._done - 1)
        self._console.note(f"  {self._what}: {self._done / self._total:.0%}, {left:.0f} s left")
