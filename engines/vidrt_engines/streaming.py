"""Recipes of stages: what a component takes and gives that walks through a video, some frames after the other.

A stage takes `chunk`, what does not change within a video (`timestep`, `noise_0` …), `last`, which is 1 where the video
ends with the chunk and else 0, and its state, `state_0` …: what it gave as `next_0` … for the chunk before, or tensors
of no frames for the first one. What it gives as `passed` is the chunk of the stage behind it.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from vidrt_engines.components import Signature, float_tensor
from vidrt_engines.tensors import TensorSpec

CHUNK, PASSED, LAST, STATE, NEXT = "chunk", "passed", "last", "state_", "next_"
_ROWS, _COLUMNS, _KEPT = "rows_x", "columns_x", "kept_"


@dataclass(frozen=True, kw_only=True)
class Frames:
    """Frames in a stage: their channels, and how many times the latents' rows and columns they have.

    Attributes:
        kept: how many of them are carried from one chunk to the next; 0 for those that come and go.
    """

    channels: int
    scale: int
    kept: int = 0

    def tensor(self, name: str, axis: str) -> TensorSpec:
        """The tensor that holds them, with this axis of frames."""
        return float_tensor(name, "batch", self.channels, axis, f"{_ROWS}{self.scale}", f"{_COLUMNS}{self.scale}")


def stage(
    *, before: Frames, after: Frames, state: Iterable[Frames], timestep: bool = False, noise: Mapping[int, int]
) -> Signature:
    """A stage's tensors.

    Args:
        before: its chunk.
        after: what it passes on.
        state: what it carries, in order.
        timestep: whether it is conditioned on one.
        noise: for the number of each map that it takes, how many times the latents' rows and columns that has.
    """
    maps = (float_tensor(f"noise_{number}", f"{_ROWS}{k}", f"{_COLUMNS}{k}") for number, k in noise.items())
    carried = tuple(state)
    return Signature(
        inputs=(
            before.tensor(CHUNK, "frames"),
            *([float_tensor("timestep", "batch")] if timestep else []),
            TensorSpec(name=LAST, dtype="int64", axes=("1",)),
            *maps,
            *(one.tensor(f"{STATE}{number}", f"{_KEPT}{one.kept}") for number, one in enumerate(carried)),
        ),
        outputs=(
            after.tensor(PASSED, "passed_frames"),
            *(one.tensor(f"{NEXT}{number}", f"{_KEPT}{one.kept}") for number, one in enumerate(carried)),
        ),
    )


def stage_sizes(signature: Signature, *, batch: int, frames: int, rows: int, columns: int) -> dict[str, int]:
    """The size of each named axis of a stage's inputs between two chunks, for latents of these rows and columns."""
    sizes = {"batch": batch, "frames": frames}
    for axis in {axis for spec in signature.inputs for axis in spec.axes if not axis.isdigit()} - sizes.keys():
        name, factor = axis.rstrip("0123456789"), int(axis.lstrip("abcdefghijklmnopqrstuvwxyz_"))
        sizes[axis] = {_ROWS: rows * factor, _COLUMNS: columns * factor, _KEPT: factor}[name]
    return sizes


def first_shapes(signature: Signature, chunk: tuple[int, ...]) -> dict[str, tuple[int, ...]]:
    """The shapes of a stage's state before the first chunk, whose own shape is given: no frames of everything."""
    spec = next(spec for spec in signature.inputs if spec.name == CHUNK)
    scale = int(spec.axes[3].removeprefix(_ROWS))
    sizes = stage_sizes(signature, batch=chunk[0], frames=0, rows=chunk[3] // scale, columns=chunk[4] // scale)
    return {
        spec.name: tuple(0 if axis.startswith(_KEPT) else int(sizes.get(axis, axis)) for axis in spec.axes)
        for spec in signature.inputs
        if spec.name.startswith(STATE)
    }
