"""Memory that the C library keeps after it was freed, given back to the system, and how little it is to keep."""

import ctypes
import functools
from collections.abc import Callable

_MAP_FROM, _LARGE = -3, 1 << 20  # glibc's M_MMAP_THRESHOLD, and bytes


def release_free_memory() -> None:
    """Gives back what glibc keeps between allocations; where there is another C library, nothing is done.

    Blocks of some megabytes come from its heap and leave holes there: work that goes on for long would fill more and
    more of it.
    """
    if (trim := _trim()) is not None:
        trim(0)


@functools.cache
def map_large_blocks() -> None:
    """Has glibc bring each block of a megabyte and more from the system and give it back at once, from here on.

    Left to itself it takes blocks of up to 32 MB from its heap once some were freed. Where each is a little larger
    than the one before, as in the last part of a streamed video, none fits where another was: half as much again was
    taken. Where there is another C library, nothing is done.
    """
    try:
        ctypes.CDLL(None).mallopt(_MAP_FROM, _LARGE)
    except (OSError, AttributeError, TypeError):
        return


@functools.cache
def _trim() -> Callable[[int], int] | None:
    try:
        trim: Callable[[int], int] = ctypes.CDLL(None).malloc_trim
    except (OSError, AttributeError, TypeError):  # no such function, or no way to look for it as on Windows
        return None
    return trim
