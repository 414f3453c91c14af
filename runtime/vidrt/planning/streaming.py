"""What a component takes that walks through a video stage by stage."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import accumulate, pairwise

from vidrt_engines.components import Signature
from vidrt_engines.manifest import Engine, Stage
from vidrt_engines.memory import Activations
from vidrt_engines.names import Component
from vidrt_engines.streaming import CHUNK, STATE, stage_sizes

from vidrt.components.vae_decoder import AHEAD
from vidrt.planning.calibration import PROCESS, factors
from vidrt.planning.engines import LatentSize, tensor_bytes, values_bytes

_RATE = 2  # a stage passes on twice as many frames as it is given


def streamed_bytes(component: Component, engine: Engine, size: LatentSize, chunk: int | None = None) -> int:
    """What a component takes by streaming: one stage at work, and what all carry and wait for.

    Args:
        component: what it is.
        engine: with stages whose activations are known.
        size: the frames that the first stage sees of all, and the latents' rows and columns.
        chunk: how many of them it sees at once; None is what it was built for.
    """
    times = factors(component, engine.backend, is_stage=True)
    parts = list(_parts(engine, size, chunk))
    work = [values_bytes(part.activations, part.sizes, times) for part in parts]
    if all(part.is_whole for part in parts):  # each stage works once: what it was given and what is kept before it
        kept = accumulate((part.state for part in parts), initial=0)
        whole = zip(work, parts, kept, strict=False)  # a stage that has seen the end was measured to keep about half
        return PROCESS + max(own + part.chunk + before // 2 for own, part, before in whole)
    gathered = min(parts[0].gives, AHEAD)  # the first works in advance, and what it passes on waits
    joined = sum(min(part.passed, part.gives - part.passed) for part in parts[1:])
    carried = (
        gathered + sum(part.state + part.chunk for part in parts) + sum(part.passed for part in parts[1:]) + joined
    )
    later = (own + part.state + carried for own, part in zip(work[1:], parts[1:], strict=True))
    beside = parts[0].chunk + parts[0].state + gathered if parts[0].gives <= AHEAD else carried
    first = work[0] + beside + (0 if parts[0].is_whole else parts[0].state)
    return PROCESS + max(first, *later) if len(parts) > 1 else PROCESS + first


@dataclass(frozen=True, kw_only=True)
class _Part:
    """A stage between two parts of a video: sizes of its axes, and bytes of what it has and gives.

    Attributes:
        activations: of its run.
        sizes: of its inputs' axes.
        state: what it keeps from one part to the next, of which there are two while it works.
        chunk: what it is given.
        passed: what it has passed on and the stage behind it takes bit by bit; from the second time on it is joined
            with what still waits, in memory of its own.
        gives: all that it passes on of the video.
        is_whole: whether it sees the whole video at once.
    """

    activations: Activations
    sizes: Mapping[str, int]
    state: int
    chunk: int
    passed: int
    gives: int
    is_whole: bool


def _parts(engine: Engine, size: LatentSize, chunk: int | None) -> Iterator[_Part]:
    """Each stage with the most frames that it meets: as many as it was built for, or as there are at its rate."""
    there = size.frames
    for stage, behind in pairwise([*engine.stages, None]):
        assert stage is not None
        assert stage.activations is not None
        frames = min(chunk or stage.first_frames, there)
        is_whole = frames == there
        there = (there - 1) * _RATE + 1
        given = _given(stage, size, frames)
        frame = 0 if behind is None else _given(behind, size, 1)[CHUNK]
        state = sum(taken for name, taken in given.items() if name.startswith(STATE))
        yield _Part(
            activations=stage.activations, sizes=_between(stage, size, frames), state=state, chunk=given[CHUNK],
            passed=frame * min(_RATE * frames, there), gives=frame * there, is_whole=is_whole,
        )  # fmt: skip


def _given(stage: Stage, size: LatentSize, frames: int) -> dict[str, int]:
    """Bytes of each of a stage's inputs, by name."""
    sizes = _between(stage, size, frames)
    return {spec.name: tensor_bytes(spec.axes, sizes) for spec in stage.inputs}


def _between(stage: Stage, size: LatentSize, frames: int) -> dict[str, int]:
    signature = Signature(inputs=stage.inputs, outputs=stage.outputs)
    return stage_sizes(signature, batch=size.batch, frames=frames, rows=size.rows, columns=size.columns)
