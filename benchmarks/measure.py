"""Runs commands in processes of their own and reads what the system counted."""

import json
import os
import platform
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

RESULTS = Path(__file__).resolve().parent.parent / "docs" / "benchmarks"
PACKAGES = ("vidrt", "numpy", "onnxruntime", "openvino", "torch", "diffusers", "transformers")


@dataclass(frozen=True)
class Measured:
    """One run: wall seconds, peak memory in MB, and the JSON object on its last line, if it printed one."""

    seconds: float
    peak_mb: float
    printed: dict


def run(command: Sequence[str]) -> Measured:
    """Runs a command to its end; its peak is the largest resident set of itself or a child."""
    script = f"""
import json, resource, subprocess, sys, time
start = time.perf_counter()
done = subprocess.run({list(command)!r}, stdout=subprocess.PIPE, text=True)
seconds = time.perf_counter() - start
peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
print(json.dumps([done.returncode, seconds, peak, done.stdout]))
"""
    raw = subprocess.run([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True, check=True).stdout
    status, seconds, peak, output = json.loads(raw)
    if status:
        raise SystemExit(f"{command} ended with status {status}:\n{output}")
    lines = output.strip().splitlines()
    printed = json.loads(lines[-1]) if lines and lines[-1].startswith("{") else {}
    return Measured(seconds, peak * (1 if sys.platform == "darwin" else 1024) / 1e6, printed)


def in_turn(commands: dict[str, Sequence[str]], runs: int, warmups: int = 1) -> dict[str, list[Measured]]:
    """Runs several commands A B A B …, after warm-ups that do not count."""
    results: dict[str, list[Measured]] = {name: [] for name in commands}
    for number in range(warmups + runs):
        for name, command in commands.items():
            measured = run(command)
            if number >= warmups:
                results[name].append(measured)
    return results


def median(values: Sequence[float]) -> float:
    return statistics.median(values)


def machine() -> dict[str, object]:
    """What the figures depend on."""
    names = (line.split(":")[1].strip() for line in _cpuinfo() if line.startswith("model name"))
    return {
        "cpu": next(names, platform.processor()),
        "cores": os.cpu_count(),
        "memory_gib": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1),
        "python": platform.python_version(),
        "date": time.strftime("%Y-%m-%d"),
        **{name: _version(name) for name in PACKAGES},
    }


def write(name: str, figures: dict[str, object]) -> None:
    """Writes figures with their machine to docs/benchmarks/NAME.json."""
    RESULTS.mkdir(parents=True, exist_ok=True)
    path = RESULTS / f"{name}.json"
    path.write_text(json.dumps({"machine": machine(), **figures}, indent=1) + "\n", encoding="utf-8")
    print(f"written to {path.name}")


def own_peak_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e6


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "not installed"


def _cpuinfo() -> list[str]:
    path = Path("/proc/cpuinfo")
    return path.read_text().splitlines() if path.exists() else []
