"""When the phases of a run begin and end: for `peers.py`'s runs, whatever environment they are in."""

import os
import time
from collections.abc import Callable
from itertools import pairwise
from statistics import median
from typing import Any

BEGIN = "PEERS_BEGIN"  # the variable with the moment, by the system's monotonic clock, at which a run was started
PROMPT, NEGATIVE = "a red circle moves to the right", "worst quality, blurry"
TEXT_TOKENS = 128


class Clock:
    """Marks, in seconds since the run was started."""

    def __init__(self) -> None:
        self._begin = float(os.environ.get(BEGIN) or time.monotonic())
        self._steps: list[float] = []
        self._spent: dict[str, float] = {}

    def now(self) -> float:
        return time.monotonic() - self._begin

    def step(self) -> None:
        """Marks the end of a denoising step."""
        self._steps.append(self.now())

    def spent(self, name: str) -> float:
        return self._spent.get(name, 0.0)

    def add(self, name: str, seconds: float) -> None:
        self._spent[name] = self.spent(name) + seconds

    def around(self, name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        """A function whose seconds are added up under a name."""

        def timed(*args: Any, **kwargs: Any) -> Any:
            begin = self.now()
            result = function(*args, **kwargs)
            self.add(name, self.now() - begin)
            return result

        return timed

    def figures(self, decode: float) -> dict[str, float]:
        """Seconds of each phase; `start` is what is none of the others: imports, opening, compiling, first touches."""
        total, step = self.now(), median(after - before for before, after in pairwise(self._steps))
        denoise, text = step * len(self._steps), self.spent("text")
        return {"total": total, "first_step": self._steps[0], "start": total - text - denoise - decode, "text": text,
                "step": step, "denoise": denoise, "decode": decode}  # fmt: skip
