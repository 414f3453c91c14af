"""Bundles built from tiny checkpoints as `build-engines` builds them."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any, TextIO

if TYPE_CHECKING:
    from pathlib import Path

    from vidrt_engines.manifest import Bundle, Engine
    from vidrt_export.backends.base import Options
    from vidrt_export.plan import Plan
    from vidrt_export.sources.text_encoder import T5Choice

COMPONENTS = ("text_encoder", "transformer", "vae_encoder", "vae_decoder")


RTX = "tensorrt-rtx"
# Two profiles, so small that every shape of them is run and compiled in seconds.
RESOLUTIONS, FRAMES = ("32x32:32x64:64x64", "64x96"), ("9:9:17", "1")


def build(source: Path, out: Path, *, said: TextIO | None = None, **options: Any) -> Bundle:
    """Build a diffusers folder into a bundle; options are those of `plan`, and what is told goes to `said`."""
    from vidrt_export.build import build as build_plan
    from vidrt_export.console import Console

    return build_plan(plan(source, **options), out, Console(quiet=said is None, stream=said))


def unchecked(**changes: Any) -> Options:
    """Return options by which no shape is run beside fp32, for tests of what comes after."""
    from vidrt_export.backends.base import Options
    from vidrt_export.checks.precision import Limits

    return Options(**{"limits": Limits(seconds=0), **changes})


def roughly() -> Options:
    """Return options by which random weights in bf16 are compared with fp32, and may be further off than trained ones.

    Through a few dozen layers of 8 channels each the last bit of a sum, which is the CPU's, grows to a half of the
    distance: measured 0.6e-2 to 1.2e-2 for the same encoder.
    """
    from vidrt_export.backends.base import Options
    from vidrt_export.checks.precision import Limits

    return Options(limits=Limits(tolerance=2e-2))


def plan(
    source: Path,
    *,
    precision: str | None = None,
    components: tuple[str, ...] = (),
    backends: tuple[str, ...] = ("onnxruntime",),
    resolutions: tuple[str, ...] = RESOLUTIONS,
    frames: tuple[str, ...] = FRAMES,
    batch: int = 1,
    options: Options | None = None,
    t5: T5Choice | None = None,
    loras: tuple[str, ...] = (),
) -> Plan:
    """Plan engines of a diffusers folder, for the tiniest videos."""
    from vidrt_engines.names import Backend, Component, Precision
    from vidrt_export.buckets import read_buckets
    from vidrt_export.lora import parse_lora
    from vidrt_export.plan import make_plan
    from vidrt_export.sources.diffusers_folder import read_diffusers_folder
    from vidrt_export.sources.lora import with_loras

    checkpoint = with_loras(read_diffusers_folder(source, t5=t5), [parse_lora(text) for text in loras])
    return make_plan(
        checkpoint,
        precision=Precision(precision) if precision else None,
        components=[Component(name) for name in components],
        backends=[Backend(name) for name in backends],
        buckets=read_buckets(resolutions, frames, batch, checkpoint.settings),
        options=options,
    )


def engine_of(bundle: Path, component: str, precision: str | None = None, backend: str | None = None) -> Engine:
    """Return a component's engine of one precision and backend, or its only one."""
    from vidrt_engines.manifest import read_bundle
    from vidrt_engines.names import Component

    engines = [
        engine
        for engine in read_bundle(bundle).engines[Component(component)]
        if precision in {None, engine.precision} and backend in {None, engine.backend}
    ]
    assert len(engines) == 1
    return engines[0]


def graph_path(bundle: Path, component: str, precision: str | None = None) -> Path:
    """Return the graph of a component's engine."""
    return bundle / engine_of(bundle, component, precision).files[0].path


def open_graph(path: Path) -> Any:
    """Open a graph in onnxruntime on the CPU."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])


def contents(folder: Path) -> dict[str, str]:
    """Return the hash of every file below a folder, by its path."""
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }
