"""One run of a bundle under the stopwatch."""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from vidrt.bench.memory import sampled
from vidrt.bench.report import Phase, phases
from vidrt.pipelines.base import Pipeline
from vidrt.stopwatch import Stopwatch, Work


@dataclass(frozen=True, kw_only=True)
class Timed:
    """A run: its seconds, those until the second denoising step began, its phases."""

    seconds: float
    first_step: float
    phases: list[Phase]


def timed_run(pipeline: Pipeline, watch: Stopwatch, options: Mapping[str, Any]) -> Timed:
    """Runs a pipeline once, from the request to decoded frames.

    Args:
        pipeline: loaded; its engines are closed, or stay open between runs if it keeps them loaded.
        watch: what watches its engines.
        options: of the call.
    """
    watch.done.clear()
    with sampled() as samples:
        begin = time.perf_counter()
        pipeline.videos(**options)
        end = time.perf_counter()
    return Timed(seconds=end - begin, first_step=_first_step(watch.done, begin), phases=phases(watch.done, samples))


def _first_step(done: list[Work], begin: float) -> float:
    """Seconds until the denoiser's first evaluation had ended."""
    steps = [work for work in done if work.component in _DENOISERS and not work.is_opening]
    return steps[0].end - begin if steps else 0.0


_DENOISERS = frozenset({"transformer", "unet"})
