"""The memory that this process holds, looked at again and again while it works."""

import contextlib
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

_STATUS = Path("/proc/self/status")
_INTERVAL = 0.01
_FIELDS = ("RssAnon:", "RssFile:")


@dataclass(frozen=True, kw_only=True)
class Sample:
    """Bytes at a moment: `anonymous` ones are the process's own, `mapped` ones lie in files and can be dropped."""

    time: float
    anonymous: int
    mapped: int


@dataclass(kw_only=True)
class Samples:
    """Samples in the order of their times, as `time.perf_counter` has them."""

    taken: list[Sample] = field(default_factory=list)

    def peak(self, begin: float, end: float) -> Sample | None:
        """The sample with the most anonymous memory between two times; None where the system does not tell."""
        within = [sample for sample in self.taken if begin <= sample.time <= end + _INTERVAL]
        return max(within, key=lambda sample: sample.anonymous, default=None)


@contextlib.contextmanager
def sampled() -> Iterator[Samples]:
    """Takes samples until the context ends; Linux alone tells what is anonymous."""
    samples, stop = Samples(), threading.Event()
    if not _STATUS.is_file():
        yield samples
        return
    thread = threading.Thread(target=_sample, args=(samples, stop), daemon=True)
    thread.start()
    try:
        yield samples
    finally:
        stop.set()
        thread.join()
        samples.taken.append(_now())


def _sample(samples: Samples, stop: threading.Event) -> None:
    while not stop.wait(_INTERVAL):
        samples.taken.append(_now())


def _now() -> Sample:
    values = dict.fromkeys(_FIELDS, 0)
    for line in _STATUS.read_text(encoding="ascii").splitlines():
        name, *rest = line.split()
        if name in values:
            values[name] = int(rest[0]) << 10
    anonymous, mapped = values.values()
    return Sample(time=time.perf_counter(), anonymous=anonymous, mapped=mapped)
