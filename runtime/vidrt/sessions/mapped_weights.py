"""Pages of weights that a library copies into memory of its own, given back to the system meanwhile."""

import ctypes
import functools
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

_MAPS = Path("/proc/self/maps")
_NOT_NEEDED = 4  # Linux's MADV_DONTNEED
_PAUSE = 0.05  # seconds; a library copies a gigabyte in about one


@contextmanager
def let_go(folder: Path) -> Iterator[None]:
    """Gives pages of a folder's files that are mapped in this process back again and again while something runs.

    For a library that packs weights as it comes to them: otherwise both are resident by the end of its first run. What
    is read again comes from the system's cache of files. Where there is no such count of what is mapped, as on Windows
    and macOS, nothing is done.
    """
    if _advise() is None:
        yield
        return
    done = threading.Event()
    helper = threading.Thread(target=_again_and_again, args=(folder, done), name="vidrt-mapped-weights", daemon=True)
    helper.start()
    try:
        yield
    finally:
        done.set()
        helper.join()


def _again_and_again(folder: Path, done: threading.Event) -> None:
    advise = _advise()
    assert advise is not None
    while True:
        ended = done.wait(_PAUSE)
        for start, size in mappings(folder):
            advise(start, size, _NOT_NEEDED)
        if ended:
            return


def mappings(folder: Path) -> list[tuple[int, int]]:
    """Where its files are mapped to be read only, as address and bytes: nothing that was written there can be lost."""
    inside = os.path.realpath(folder) + os.sep
    found = []
    for line in _MAPS.read_text(errors="surrogateescape").splitlines():
        span, mode, _, _, _, *rest = line.split(maxsplit=5)
        if rest and rest[0].startswith(inside) and "w" not in mode:
            start, end = (int(address, 16) for address in span.split("-"))
            found.append((start, end - start))
    return found


@functools.cache
def _advise() -> Callable[[int, int, int], int] | None:
    if not _MAPS.exists():
        return None
    advise: Callable[[int, int, int], int] = ctypes.CDLL(None).madvise
    advise.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int]  # type: ignore[attr-defined]
    return advise
