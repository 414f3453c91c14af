"""How much memory this machine has to spare, and how much a process has taken."""

import resource
import sys
from pathlib import Path

_MEMINFO, _STATUS = Path("/proc/meminfo"), Path("/proc/self/status")


def available_bytes() -> int | None:
    """Memory that a process can take without others being swapped out, or None where the system does not say."""
    if not _MEMINFO.is_file():
        return None
    lines = (line.split() for line in _MEMINFO.read_text(encoding="ascii").splitlines())
    return next((int(words[1]) << 10 for words in lines if words[0] == "MemAvailable:"), None)


def own_peak_bytes() -> int:
    """The most memory that this process has held, files that it maps included.

    Linux's `getrusage` begins with what the parent held when it started this process.
    """
    if _STATUS.is_file():
        lines = (line.split() for line in _STATUS.read_text(encoding="utf-8").splitlines())
        return next(int(words[1]) << 10 for words in lines if words[0] == "VmHWM:")
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
