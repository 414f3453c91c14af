"""Memory that the C library keeps after it was freed, given back to the system."""

import ctypes
import functools
from collections.abc import Callable


def release_free_memory() -> None:
    """Gives back what glibc keeps between allocations; where there is another C library, nothing is done.

    Blocks of some megabytes come from its heap and leave holes there: work that goes on for long would fill more and
    more of it.
    """
    if (trim := _trim()) is not None:
        trim(0)


@functools.cache
def _trim() -> Callable[[int], int] | None:
    try:
        trim: Callable[[int], int] = ctypes.CDLL(None).malloc_trim
    except (OSError, AttributeError, TypeError):  # no such function, or no way to look for it as on Windows
        return None
    return trim
