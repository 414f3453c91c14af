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
from vidrt_export.sources.locate_upscaler import locate_upscaler, upscaler_of_hub
from vidrt_export.sources.lora import with_loras
from vidrt_export.sources.model_index import MODEL_INDEX
from vidrt_export.sources.source import read_source
from vidrt_export.sources.text_encoder import T5Choice
from vidrt_export.sources.upscaler import (
    Upscaler,
    makes_two_passes,
    own_upscaler,
    read_upscaler,
    refuse_unused,
    with_upscaler,
)


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
    upscaler: str | None
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
    given = locate_upscaler(request.upscaler, _precision(request)) if request.upscaler else None
    located = _located(request)
    upscaler = given or _hub_upscaler(request, located, console)
    to_come = [line for one in (upscaler, located) if one for line in one.to_come()]
    if request.dry_run and to_come:
        click.echo("\n".join(to_come))
        return
    found = read_upscaler(upscaler.fetch(console)) if upscaler else None
    checkpoint = read_source(located.fetch(console), _known(request, located))
    if request.ltxv_version is None and len(checkpoint.versions) > 1:
        others = ", ".join(checkpoint.versions[1:])
        console.note(f"Taken for {checkpoint.model_version}; its files also fit {others}: see --ltxv-version.")
    checkpoint = _with_upscaler(request, checkpoint, located, found, console)
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
        upscaler=request.upscaler is None and _wants_upscaler(request),
    )


def _wants_upscaler(request: Request) -> bool:
    return not request.parts or Component.LATENT_UPSAMPLER in request.parts


def _hub_upscaler(request: Request, located: Located, console: Console) -> Located | None:
    """The official upscaler, for a checkpoint of the hub whose repository has none."""
    if not _wants_upscaler(request):
        return None
    return upscaler_of_hub(located, request.ltxv_version, _precision(request), console)


def _with_upscaler(
    request: Request, checkpoint: Checkpoint, located: Located, found: Upscaler | None, console: Console
) -> Checkpoint:
    """The checkpoint with the upscaler that was asked for, else with one that lies beside it where it has a use."""
    if request.upscaler:
        refuse_unused(checkpoint, _components(request))
    if found is None and _wants_upscaler(request) and makes_two_passes(checkpoint):
        found = own_upscaler(checkpoint, located.path, console)
    if found is not None:
        return with_upscaler(checkpoint, found)
    if Component.LATENT_UPSAMPLER in request.parts:
        raise CheckpointError("The latent upsampler is in a file or folder of its own: give it as --upscaler.")
    return checkpoint


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
