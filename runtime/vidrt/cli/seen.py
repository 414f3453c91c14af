"""How a command lets what it saw of its engines be known to the next `vidrt plan`."""

from collections.abc import Iterator
from contextlib import contextmanager

from vidrt.pipelines.base import Pipeline
from vidrt.seen_times import SeenTimes
from vidrt.stopwatch import Stopwatch

_WAITS = 4  # runs of an engine on a GPU that are enough to know its pace


@contextmanager
def times_kept(pipeline: Pipeline) -> Iterator[None]:
    """Watches the engines of a pipeline until the context ends, and keeps how fast they were, however it ends."""
    watch = Stopwatch(waits=_WAITS)
    watch.watch(pipeline.components)
    try:
        yield
    finally:
        if watch.done:
            SeenTimes(pipeline.place).keep(watch.done)
