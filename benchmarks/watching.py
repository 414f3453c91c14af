"""Runs a command and watches from outside what memory it takes: nothing that holds it up holds up the watch."""

import json
import os
import resource
import subprocess
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from peers_clock import BEGIN

_EVERY = 0.02
_LONGEST = 1800.0


class RunError(Exception):
    """A run that failed; its message is the end of what it wrote."""


@dataclass
class Memory:
    """Megabytes of one process: its own and those of mapped files when both together were most, and each one's most."""

    resident_mb: float = 0.0
    anonymous_mb: float = 0.0
    mapped_mb: float = 0.0
    anonymous_peak_mb: float = 0.0
    mapped_peak_mb: float = 0.0

    def look(self, process: int) -> None:
        """Reads what the system says of a process; one that has ended says nothing."""
        try:
            text = Path(f"/proc/{process}/status").read_text()
        except OSError:
            return
        found = {name: int(rest.split()[0]) * 1024 / 1e6 for name, rest in
                 (line.split(":", 1) for line in text.splitlines()) if name.startswith("Rss")}  # fmt: skip
        if not found:
            return
        own, mapped = found["RssAnon"] + found["RssShmem"], found["RssFile"]
        self.anonymous_peak_mb, self.mapped_peak_mb = max(self.anonymous_peak_mb, own), max(self.mapped_peak_mb, mapped)
        if own + mapped > self.resident_mb:
            self.resident_mb, self.anonymous_mb, self.mapped_mb = own + mapped, own, mapped


@dataclass(frozen=True)
class Watched:
    """One run: seconds of the clock and of the processors, its memory, and the JSON object that it printed."""

    wall: float
    cpu: float
    memory: Memory = field(default_factory=Memory)
    printed: dict[str, float] = field(default_factory=dict)

    @property
    def figures(self) -> dict[str, float]:
        return {**self.printed, "wall": self.wall, "cpu": self.cpu, **vars(self.memory)}


def watched(command: Sequence[str], environment: Mapping[str, str]) -> Watched:
    """Runs a command to its end; what it leaves running and does not wait for is not counted.

    Raises:
        RunError: it failed, or took longer than half an hour.
    """
    with tempfile.TemporaryFile("w+") as out, tempfile.TemporaryFile("w+") as errors:
        begin, memory = time.monotonic(), Memory()
        variables = {**os.environ, **environment, BEGIN: str(begin)}
        process = subprocess.Popen(command, stdout=out, stderr=errors, env=variables)
        status, used = _to_its_end(process, memory, begin)
        wall = time.monotonic() - begin
        out.seek(0)
        errors.seek(0)
        lines = [line for line in out.read().splitlines() if line.startswith("{")]
        if status or not lines:
            raise RunError(f"status {status}: {errors.read().strip()[-1500:]}")
        return Watched(wall, used.ru_utime + used.ru_stime, memory, json.loads(lines[-1]))


def _to_its_end(process: subprocess.Popen[bytes], memory: Memory, begin: float) -> tuple[int, resource.struct_rusage]:
    while True:
        ended, status, used = os.wait4(process.pid, os.WNOHANG)
        if ended:
            process.returncode = os.waitstatus_to_exitcode(status)  # so that it is not waited for again
            return process.returncode, used
        memory.look(process.pid)
        if time.monotonic() - begin > _LONGEST:
            process.kill()
        time.sleep(_EVERY)
