"""What a build will do, before it does any of it."""

import shutil
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from vidrt_engines.names import Backend, Component, Precision
from vidrt_engines.precisions import COMPILED, SAFE_FP16
from vidrt_engines.profiles import Span
from vidrt_reference.checkpoint.errors import CheckpointError

from vidrt_export.backends import onnxruntime, tensorrt
from vidrt_export.backends.base import BackendBuilder, Options, Step
from vidrt_export.buckets import Bucket, of_passes, options_of, profile
from vidrt_export.int8 import int8_precision
from vidrt_export.part import Part
from vidrt_export.sources.checkpoint import Checkpoint
from vidrt_export.writing.weights import common_precision

BUILDERS: Mapping[Backend, BackendBuilder] = {
    Backend.ONNXRUNTIME: onnxruntime,
    Backend.TENSORRT: tensorrt,
    Backend.TENSORRT_RTX: tensorrt,
}

MARGIN_BYTES = 64 << 20
MEGABYTE = 10**6


@dataclass(frozen=True, kw_only=True)
class Plan:
    """All engines to be built, checked against the files and the disk."""

    checkpoint: Checkpoint
    steps: tuple[Step, ...]

    @property
    def disk_bytes(self) -> int:
        """What the engines take."""
        return sum(builder_of(step).disk_bytes(step) for step in self.steps)

    @property
    def memory_bytes(self) -> int:
        """What building takes at the peak."""
        return max((builder_of(step).memory_bytes(step) for step in self.steps), default=0)

    def lines(self) -> list[str]:
        """The plan as text: a line for each engine, with the sizes it is for, and one for the sum."""
        rows = [line for step in self.steps for line in _lines(step)]
        total = f"{_megabytes(self.disk_bytes)} of disk; about {_megabytes(self.memory_bytes)} of memory at the peak"
        return [f"{self.checkpoint.family.spoken} {self.checkpoint.model_version}", *rows, total]


def builder_of(step: Step) -> BackendBuilder:
    """The module that builds a step's engine."""
    return BUILDERS[step.backend]


def work(step: Step) -> float:
    """How much there is to do, in rough seconds."""
    return builder_of(step).seconds(step)


def make_plan(
    checkpoint: Checkpoint,
    *,
    precision: Precision | None,
    components: Iterable[Component],
    backends: Iterable[Backend],
    buckets: Sequence[Bucket] = (),
    options: Options | None = None,
) -> Plan:
    """Settles which engines to build and checks every key and shape of their weights, and what each backend needs.

    Args:
        checkpoint: the checkpoint.
        precision: for all components, or None for what suits the backend and the type that weights are stored in.
        components: which to build; empty for all.
        backends: for which.
        buckets: for which videos, where a backend compiles for certain sizes.
        options: what concerns compiled engines alone.

    Raises:
        CheckpointError: a component that the checkpoint does not have, or weights that do not fit it.
        ImportError: a library that a backend needs is missing.
    """
    asked = tuple(components)
    parts = _chosen(checkpoint.parts, asked)
    for part in parts:
        part.check()
    steps = tuple(
        Step(
            part=_playable(part, backend),
            backend=backend,
            precision=_precision(_playable(part, backend), backend, precision, is_named=part.component in asked),
            profiles=_profiles(part, backend, buckets, checkpoint),
            size_options=options_of(buckets) if backend is not Backend.ONNXRUNTIME else (),
            options=options or Options(),
        )
        for backend in backends
        for part in parts
    )
    for step in steps:
        builder_of(step).check(step)
    return Plan(checkpoint=checkpoint, steps=steps)


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


def _playable(part: Part, backend: Backend) -> Part:
    """A component as a backend can play it: only onnxruntime has products with quantised blocks."""
    return part if backend is Backend.ONNXRUNTIME or part.plain is None else part.plain


def _precision(part: Part, backend: Backend, asked: Precision | None, *, is_named: bool) -> Precision:
    """The precision of an engine: as asked, but what is not safe in fp16 has to be asked for by its own name.

    onnxruntime keeps weights as they are stored, in a GGUF file's blocks if they are so. Compiled engines compute in
    the family's half precision, unless weights are stored in fp16, whose last bits bf16 would lose.
    """
    if part.gguf and backend is Backend.ONNXRUNTIME and (part.plain or not asked):
        if asked and is_named:
            raise CheckpointError(
                f"The {part.component.spoken} stays in {part.gguf} as {part.origin} has it: "
                f"leave --precision out, or give --use-bf16-t5 for the folder's own weights."
            )
        return Precision.GGUF
    stored = common_precision(part.used())
    if asked is Precision.INT8:
        if backend is not Backend.ONNXRUNTIME:
            raise CheckpointError(
                f"{backend} plays no engines in int8: build them for onnxruntime, by a command alone."
            )
        return int8_precision(part, stored, is_named=is_named)
    if backend is Backend.ONNXRUNTIME:
        return asked or stored
    chosen = asked or (Precision.FP16 if stored is Precision.FP16 else COMPILED[part.family])
    if chosen is Precision.FP16 and not is_named:
        return SAFE_FP16.get(part.component, chosen)
    return chosen


def _profiles(
    part: Part, backend: Backend, buckets: Sequence[Bucket], checkpoint: Checkpoint
) -> tuple[dict[str, Span], ...]:
    if backend is Backend.ONNXRUNTIME:
        return ()
    settings = checkpoint.settings
    if Component.LATENT_UPSAMPLER in checkpoint.parts:
        buckets = [one for bucket in buckets for one in of_passes(bucket, part.component, settings.spatial_compression)]
    found = [profile(bucket, part.component, part.signature, settings) for bucket in buckets]
    return tuple(one for number, one in enumerate(found) if one not in found[:number])


def _lines(step: Step) -> list[str]:
    size = _megabytes(builder_of(step).disk_bytes(step))
    head = (
        f"{step.part.component:<13} {step.backend} {step.precision:<5} {size:>9} from {len(step.part.used())} tensors"
    ) + (f" of {step.part.origin}" if step.part.origin else "")
    spans = (", ".join(f"{axis} {span}" for axis, span in sorted(one.items())) for one in step.profiles)
    merged = (f"with the LoRA {lora.told}" for lora in step.part.loras)
    return [head, *(f"  {line}" for line in (*merged, *spans))]


def _megabytes(count: int) -> str:
    return f"{count / MEGABYTE:,.0f} MB" if count >= MEGABYTE else f"{count / 1000:,.0f} kB"
