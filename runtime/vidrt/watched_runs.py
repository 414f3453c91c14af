"""What engines did, in runs as the manifest counts them: a video that passed through stages is one."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from vidrt_engines.manifest import Engine
from vidrt_engines.streaming import CHUNK, STATE

from vidrt.sessions.fitting import axis_sizes
from vidrt.stopwatch import Work

_TIME = 2  # the axis of frames


@dataclass(frozen=True, kw_only=True)
class EngineRun:
    """One run of an engine, or a video that passed through its stages.

    Attributes:
        operations: floating-point operations; None where the bundle does not say.
        seconds: how long they took.
        is_streamed: whether it passed through stages.
    """

    operations: float | None
    seconds: float
    is_streamed: bool = False


def engine_runs(done: Sequence[Work]) -> list[EngineRun]:
    """The runs of one component.

    Args:
        done: what it did, in order.
    """
    works = [work for work in done if not work.is_opening]
    whole = [
        EngineRun(
            operations=_operations(work.engine, axis_sizes(work.engine.inputs, work.shapes)), seconds=work.seconds
        )
        for work in works
        if work.stage is None
    ]
    streamed = (_streamed(video) for video in _videos(work for work in works if work.stage is not None))
    return [*whole, *streamed]


def total_operations(runs: Iterable[EngineRun]) -> float | None:
    """All operations together; None where they are not known of all."""
    found = [run.operations for run in runs]
    known = [count for count in found if count is not None]
    return sum(known) if found and len(known) == len(found) else None


def _streamed(video: Sequence[Work]) -> EngineRun:
    """The stages compute nothing twice: together as much as the engine, for all frames that the first of them got."""
    chunks = [work.shapes[CHUNK] for work in video if work.stage == 0]
    frames = sum(chunk[_TIME] for chunk in chunks)
    shape = (*chunks[0][:_TIME], frames, *chunks[0][_TIME + 1 :])
    engine = video[0].engine
    sizes = axis_sizes(engine.inputs[:1], {engine.inputs[0].name: shape})
    seconds = sum(work.seconds for work in video)
    return EngineRun(operations=_operations(engine, sizes), seconds=seconds, is_streamed=True)


def _videos(works: Iterable[Work]) -> Iterator[list[Work]]:
    """What stages did, by video: each begins where the first stage has kept nothing yet."""
    video: list[Work] = []
    for work in works:
        if _begins(work) and video:
            yield video
            video = []
        video.append(work)
    if video:
        yield video


def _begins(work: Work) -> bool:
    kept = [shape for name, shape in work.shapes.items() if name.startswith(STATE)]
    return work.stage == 0 and any(shape[_TIME] == 0 for shape in kept)


def _operations(engine: Engine, sizes: dict[str, int]) -> float | None:
    return None if engine.operations is None else engine.operations.at(sizes)
