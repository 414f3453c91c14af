"""What `build-engines` does with its command line: finds the checkpoint, plans, and builds."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import click
from vidrt_engines.names import Backend, Component, Family, Precision
from vidrt_reference.checkpoint.errors import CheckpointError

from vidrt_export.backends.base import Options
from vidrt_export.buckets import read_buckets
from vidrt_export.build import build
from vidrt_export.checks.precision import Limits
from vidrt_export.console import Console
from vidrt_export.lora import parse_lora
from vidrt_export.plan import Plan, check_disk, make_plan
from vidrt_export.sources.checkpoint import Checkpoint
from vidrt_export.sources.known import Known
from vidrt_export.sources.locate import Located, locate
from vidrt_export.sources.lora import with_loras
from vidrt_export.sources.model_index import MODEL_INDEX
from vidrt_export.sources.source import read_source
from vidrt_export.sources.text_encoder import T5Choice


@dataclass(frozen=True, kw_only=True)
class Request:
    """The command line, an attribute for each option; words are those of the contract's enumerations."""

    source: str
    out: Path
    family: str | None
    ltxv_version: str | None
    revision: str | None
    num_frames: int | None
    backends: Sequence[str]
    precision: str | None
    resolutions: Sequence[str]
    frames: Sequence[str]
    batch: int
    memory_limit: int | None
    strip_weights: bool
    stream_weights: bool
    check_minutes: float
    tolerance: float | None
    parts: Sequence[str]
    t5_gguf: Path | None
    text_encoder: Path | None
    use_bf16_t5: bool
    loras: Sequence[str]
    note: str | None
    dry_run: bool
    quiet: bool


def run(request: Request) -> None:
    """Builds what is asked for, or prints what would be built.

    Raises:
        CheckpointError: the request cannot be right, or the checkpoint cannot be used.
    """
    _check_out(request.out)
    console = Console(quiet=request.quiet)
    loras = [parse_lora(text) for text in request.loras]
    located = _located(request)
    if request.dry_run and (lines := located.to_come()):
        click.echo("\n".join(lines))
        return
    checkpoint = read_source(located.fetch(console), _known(request, located))
    if request.ltxv_version is None and len(checkpoint.versions) > 1:
        others = ", ".join(checkpoint.versions[1:])
        console.note(f"Taken for {checkpoint.model_version}; its files also fit {others}: see --ltxv-version.")
    plan = _planned(request, with_loras(checkpoint, loras, _components(request)))
    for note in dict.fromkeys(step.part.note for step in plan.steps if step.part.note):
        console.note(note)
    if request.dry_run:
        check_disk(plan, request.out)
        click.echo("\n".join(plan.lines()))
        return
    build(plan, request.out, console, request.note)
    console.note(f"The bundle is ready: vidrt generate --bundle {request.out}")


def _check_out(out: Path) -> None:
    if out.exists() and not out.is_dir():
        raise CheckpointError(f"{out} is a file: give a folder to --out.")
    if (out / MODEL_INDEX).exists():  # its folders bear the same names, and would be replaced
        raise CheckpointError(f"{out} is a checkpoint: give another folder to --out.")


def _located(request: Request) -> Located:
    return locate(
        request.source,
        revision=request.revision,
        precision=_precision(request),
        version=request.ltxv_version,
        text_encoder=request.t5_gguf is None and request.text_encoder is None,
    )


def _known(request: Request, located: Located) -> Known:
    return Known(
        family=Family(request.family) if request.family else None,
        version=request.ltxv_version,
        num_frames=request.num_frames,
        title=located.title,
        t5=T5Choice(gguf=request.t5_gguf, full=request.use_bf16_t5, folder=request.text_encoder),
    )


def _planned(request: Request, checkpoint: Checkpoint) -> Plan:
    return make_plan(
        checkpoint,
        precision=_precision(request),
        components=_components(request),
        backends=dict.fromkeys(Backend(backend).plays for backend in request.backends),
        buckets=read_buckets(request.resolutions, request.frames, request.batch, checkpoint.settings),
        options=Options(
            memory_limit=request.memory_limit,
            strip_weights=request.strip_weights,
            stream_weights=request.stream_weights,
            limits=Limits(seconds=60 * request.check_minutes, tolerance=request.tolerance),
        ),
    )


def _components(request: Request) -> list[Component]:
    return [Component(part) for part in request.parts]


def _precision(request: Request) -> Precision | None:
    return Precision(request.precision) if request.precision else None
