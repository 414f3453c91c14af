"""What the CPU has instructions for, as far as its speed with engines depends on them."""

import os
import platform
import re
from functools import cache
from pathlib import Path

from vidrt_engines.names import Backend

from vidrt.libraries import player

_CPUINFO = Path("/proc/cpuinfo")
# Linux's names of what computes in bf16 and multiplies in int8, the fastest first, then what everything else rests on.
BF16 = ("amx_bf16", "avx512_bf16")
INT8 = ("amx_int8", "avx512_vnni", "avx_vnni")
VECTORS = ("avx512f", "avx2")


@cache
def flags() -> frozenset[str] | None:
    """The CPU's features by Linux's names, or None where no such list can be read."""
    if not _CPUINFO.is_file():
        return None
    found = re.search(r"^(?:flags|Features)\s*:(.*)$", _CPUINFO.read_text(encoding="utf-8"), re.MULTILINE)
    return frozenset(found[1].split()) if found else None


def name() -> str:
    """The CPU as it calls itself, or the kind of processor it is."""
    text = _CPUINFO.read_text(encoding="utf-8") if _CPUINFO.is_file() else ""
    found = re.search(r"^model name\s*:(.*)$", text, re.MULTILINE)
    return found[1].strip() if found else platform.processor() or platform.machine()


def computes_bf16() -> bool:
    """Whether there are instructions for bf16; OpenVINO is asked where the system does not tell."""
    known = flags()
    if known is not None:
        return any(flag in known for flag in BF16)
    openvino = player(Backend.OPENVINO).module
    return openvino is not None and "BF16" in openvino.Core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")


def threads() -> int:
    """How many of the CPU's threads this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
