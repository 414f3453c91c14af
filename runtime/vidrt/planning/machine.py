"""How much memory this machine has to spare."""

from pathlib import Path

_MEMINFO = Path("/proc/meminfo")


def free_host_bytes() -> int | None:
    """Memory that a process can take without others being swapped out, or None where the system does not say."""
    if not _MEMINFO.is_file():
        return None
    lines = (line.split() for line in _MEMINFO.read_text(encoding="ascii").splitlines())
    return next((int(words[1]) << 10 for words in lines if words[0] == "MemAvailable:"), None)
