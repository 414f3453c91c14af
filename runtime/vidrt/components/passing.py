"""A video on its way through the stages of a component, some frames after the other."""

from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from vidrt_engines.components import Signature
from vidrt_engines.streaming import CHUNK, LAST, NEXT, PASSED, STATE, first_shapes

from vidrt.arrays import AnyArray, FloatArray
from vidrt.heap import map_large_blocks, release_free_memory
from vidrt.sessions.component_engine import ComponentEngine

_TIME = 2  # the axis of frames


@dataclass(frozen=True, kw_only=True)
class Parts:
    """How many frames go through a stage at once.

    Attributes:
        first: in the first part of a video.
        others: in those behind it.
        end: in the last, which may be shorter where there are less; None leaves it what remains. A stage that runs
            late has all frames that it still owes to give with the last part, which so should be small.
    """

    first: int
    others: int
    end: int | None = None

    def cut(self, flow: Iterable[FloatArray]) -> Iterator[tuple[FloatArray, bool]]:
        """Cuts a flow of frames (B, C, any number, H, W) into parts; true with the one that ends it."""
        waiting: list[FloatArray] = []
        size, begun = self.first, False
        for frames in flow:
            waiting.append(frames)
            while _count(waiting) > size:
                part, waiting = _split(waiting, size)
                yield part, False
                size, begun = self.others, True
        if begun and self.end is not None and _count(waiting) > self.end:
            part, waiting = _split(waiting, _count(waiting) - self.end)
            yield part, False
        yield _joined(waiting), True


def through(
    stage: ComponentEngine, parts: Parts, flow: Iterable[FloatArray], constants: Mapping[str, FloatArray]
) -> Iterator[FloatArray]:
    """What a stage passes on of a flow of frames, as it comes; it holds its state and what waits for the next part.

    Its engine is open from the first part to the last.

    Args:
        stage: the engine of the stage.
        parts: how the flow is cut.
        flow: the frames of one video, (B, C, any number, H, W).
        constants: what a stage may take besides, by name; each takes its own.
    """
    signature = Signature(inputs=stage.engine.inputs, outputs=stage.engine.outputs)
    own = {spec.name: constants[spec.name] for spec in signature.inputs if spec.name in constants}
    state: dict[str, AnyArray] | None = None
    map_large_blocks()
    with stage.held():
        for part, is_last in parts.cut(flow):
            if state is None:
                shapes = first_shapes(signature, part.shape)
                state = {name: np.zeros(shape, np.float32) for name, shape in shapes.items()}
            given = stage.run({CHUNK: part, LAST: np.array([is_last], np.int64), **own, **state})
            passed: FloatArray = given.pop(PASSED)
            state = {STATE + name.removeprefix(NEXT): values for name, values in given.items()}
            del given, part
            release_free_memory()
            yield passed


def ahead(flow: Iterable[FloatArray], most: int) -> Iterator[FloatArray]:
    """Lets a stage work in advance, so that what it takes while it works is not held beside the stages behind it.

    Args:
        flow: what the stage passes on.
        most: bytes to gather; what is beyond comes as it is asked for.
    """
    rest = iter(flow)
    gathered, size = deque[FloatArray](), 0
    for part in rest:
        gathered.append(part)
        size += part.nbytes
        if size >= most:
            break
    while gathered:
        yield gathered.popleft()
    yield from rest


def _count(waiting: list[FloatArray]) -> int:
    return sum(frames.shape[_TIME] for frames in waiting)


def _joined(waiting: list[FloatArray]) -> FloatArray:
    return waiting[0] if len(waiting) == 1 else np.concatenate(waiting, axis=_TIME)


def _split(waiting: list[FloatArray], size: int) -> tuple[FloatArray, list[FloatArray]]:
    """The first frames, and the others in memory of their own: a view would keep all of them."""
    joined = _joined(waiting)
    rest = joined[:, :, size:].copy()
    return joined[:, :, :size], [rest] if rest.shape[_TIME] else []
