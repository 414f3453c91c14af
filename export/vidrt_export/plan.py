"""What a build will do, before it does any of it."""

import shutil
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from vidrt_engines.names import Backend, Component, Precision
from vidrt_reference.checkpoint.errors import CheckpointError

from vidrt_export.part import Part
from vidrt_export.sources.checkpoint import Checkpoint
from vidrt_export.writing.weights import common_precision, place

# Tracing and optimising a graph holds the graph and PyTorch, never the weights: measured with 48 layers.
TRACING_BYTES = 900 << 20
MARGIN_BYTES = 64 << 20
# How long a step takes before one has been seen: tracing, and the weights at a disk's pace. Only ratios count.
TRACING_SECONDS, BYTES_A_SECOND = 6.0, 250e6
MEGABYTE = 10**6


@dataclass(frozen=True, kw_only=True)
class Step:
    """One engine to be built."""

    part: Part
    backend: Backend
    precision: Precision

    @property
    def disk_bytes(self) -> int:
        """The size of the engine's weights file."""
        return max((p.offset + p.nbytes for p in place(self.part.used(), self.precision).values()), default=0)

    @property
    def work(self) -> float:
        """How much there is to do, in rough seconds."""
        return TRACING_SECONDS + self.disk_bytes / BYTES_A_SECOND


@dataclass(frozen=True, kw_only=True)
class Plan:
    """All engines to be built, checked against the files and the disk."""

    checkpoint: Checkpoint
    steps: tuple[Step, ...]

    @property
    def disk_bytes(self) -> int:
        """What the engines take."""
        return sum(step.disk_bytes for step in self.steps)

    def lines(self) -> list[str]:
        """The plan as text, a line for each engine and one for the sum."""
        rows = [
            f"{step.part.component:<13} {step.backend} {step.precision:<5} {_megabytes(step.disk_bytes):>9} from "
            f"{len(step.part.used())} tensors"
            for step in self.steps
        ]
        total = f"{_megabytes(self.disk_bytes)} of disk; about {_megabytes(TRACING_BYTES)} of memory at the peak"
        return [f"LTX-Video {self.checkpoint.model_version}", *rows, total]


def make_plan(
    checkpoint: Checkpoint, *, precision: Precision | None, components: Iterable[Component], backends: Iterable[Backend]
) -> Plan:
    """Settles which engines to build and checks every key and shape of their weights.

    Args:
        checkpoint: the checkpoint.
        precision: for all components, or None for the type that most of a component's weights are stored in.
        components: which to build; empty for all.
        backends: for which.

    Raises:
        CheckpointError: a component that the checkpoint does not have, or weights that do not fit it.
    """
    parts = _chosen(checkpoint.parts, tuple(components))
    for part in parts:
        part.check()
    steps = (
        Step(part=part, backend=backend, precision=precision or common_precision(part.used()))
        for backend in backends
        for part in parts
    )
    return Plan(checkpoint=checkpoint, steps=tuple(steps))


def check_disk(plan: Plan, folder: Path) -> None:
    """Compares what the plan needs with what is free.

    Raises:
        CheckpointError: the disk is too full.
    """
    existing = next(path for path in (folder, *folder.resolve().parents) if path.exists())
    free = shutil.disk_usage(existing).free
    if plan.disk_bytes + MARGIN_BYTES > free:
        raise CheckpointError(
            f"The bundle needs {_megabytes(plan.disk_bytes)} and {existing} has {_megabytes(free)} free: "
            f"make room or choose another --out."
        )


def _chosen(parts: Mapping[Component, Part], asked: tuple[Component, ...]) -> list[Part]:
    if missing := [component for component in asked if component not in parts]:
        raise CheckpointError(f"The checkpoint has no {missing[0]}; it has {', '.join(parts)}.")
    return [part for component, part in parts.items() if not asked or component in asked]


def _megabytes(count: int) -> str:
    return f"{count / MEGABYTE:,.0f} MB" if count >= MEGABYTE else f"{count / 1000:,.0f} kB"
