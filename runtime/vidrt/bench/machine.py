"""What this machine can do at best, as far as numpy shows it."""

import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

_SIDE = 1536
_BYTES = 256 << 20
_REPEATS = 4


@dataclass(frozen=True, kw_only=True)
class Peaks:
    """The machine's best: `flops` a second in a product of fp32 matrices, `bytes` a second in a copy."""

    flops: float
    bytes: float


def measured_peaks() -> Peaks:
    """Times a product and a copy, both too large for the caches, and takes the best of a few."""
    random = np.random.default_rng(0)
    left, right = (random.standard_normal((_SIDE, _SIDE), np.float32) for _ in range(2))
    product = np.empty_like(left)
    source = np.ones(_BYTES, np.uint8)
    target = np.empty_like(source)
    return Peaks(
        flops=2 * _SIDE**3 / _best(lambda: np.matmul(left, right, out=product)),
        bytes=2 * _BYTES / _best(lambda: np.copyto(target, source)),
    )


def _best(work: Callable[[], object]) -> float:
    work()  # the first touches the memory
    times = []
    for _ in range(_REPEATS):
        begin = time.perf_counter()
        work()
        times.append(time.perf_counter() - begin)
    return min(times)
