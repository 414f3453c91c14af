"""Pages of weights that a library copies into memory of its own, given back to the system meanwhile."""

import ctypes
import functools
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

_MAPS = Path("/proc/self/maps")
_NOT_NEEDED = 4  # Linux's MADV_DONTNEED
_PAUSE = 0.05  # seconds; a library copies a gigabyte in about one


@dataclass(frozen=True, kw_only=True)
class Span:
    """Where a file is mapped: an address and bytes."""

    start: int
    size: int


def mapped_around(address: int) -> Span | None:
    """The mapping in which an address lies, if it is of a file that is only read: its pages come again as they were.

    None for other memory, and where the system has no such list, as Windows and macOS.
    """
    if not _MAPS.exists():
        return None
    for line in _MAPS.read_text(errors="surrogateescape").splitlines():
        span, mode, _, _, inode, *_ = line.split(maxsplit=5)
        start, end = (int(edge, 16) for edge in span.split("-"))
        if start <= address < end:
            return Span(start=start, size=end - start) if inode != "0" and "w" not in mode else None
    return None


@contextmanager
def let_go(span: Span | None) -> Iterator[None]:
    """Gives pages of a mapped file back to the system again and again while something runs.

    For a library that packs weights as it comes to them: otherwise both are resident by the end of its first run. What
    is read again comes from the system's cache of files.

    Args:
        span: mapped until the end, for what takes its place otherwise would be lost; None to do nothing.
    """
    if span is None:
        yield
        return
    done = threading.Event()
    helper = threading.Thread(target=_again_and_again, args=(span, done), name="vidrt-mapped-weights", daemon=True)
    helper.start()
    try:
        yield
    finally:
        done.set()
        helper.join()


def _again_and_again(span: Span, done: threading.Event) -> None:
    while True:
        ended = done.wait(_PAUSE)
        _advise()(span.start, span.size, _NOT_NEEDED)
        if ended:
            return


@functools.cache
def _advise() -> Callable[[int, int, int], int]:
    advise: Callable[[int, int, int], int] = ctypes.CDLL(None).madvise
    advise.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int]  # type: ignore[attr-defined]
    return advise
