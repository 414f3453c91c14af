"""Builds the engines of a plan into a bundle: atomically, one component after the other, only what changed."""

import dataclasses
import hashlib
import json
import shutil
import time
from collections.abc import Sequence
from pathlib import Path

from vidrt_engines.errors import BundleError
from vidrt_engines.jsonable import encode
from vidrt_engines.manifest import (
    FORMAT,
    MANIFEST,
    Bundle,
    BundleFile,
    Engine,
    Settings,
    Stage,
    read_bundle,
    write_bundle,
)
from vidrt_engines.names import Component
from vidrt_reference.checkpoint.errors import CheckpointError

from vidrt_export.backends.base import Step
from vidrt_export.checks.counts import counts_of
from vidrt_export.console import Console
from vidrt_export.plan import Plan, builder_of, check_disk, work
from vidrt_export.sources.checkpoint import Checkpoint
from vidrt_export.tokenizer import write_tokenizer
from vidrt_export.writing.files import (
    clear_partial_folders,
    described,
    move_into_place,
    partial_folder,
    share,
)
from vidrt_export.writing.weights import hash_weights

# Raised when the same checkpoint gives a different graph: engines built before are then built again.
EXPORTER = "7"


def build(plan: Plan, out: Path, console: Console, note: str | None = None) -> Bundle:
    """Builds what the bundle at `out` lacks; after each component the bundle is whole and its manifest written.

    Args:
        plan: what to build.
        out: the bundle's folder; made if it is not there, and removed again if nothing was finished.
        console: told of the progress.
        note: a sentence shown wherever the bundle is used.

    Raises:
        CheckpointError: the weights cannot be kept in the precision asked for, or changed while they were read.
    """
    check_disk(plan, out)
    _check_same_checkpoint(plan, out)
    is_new = not out.exists()
    out.mkdir(parents=True, exist_ok=True)
    try:
        clear_partial_folders(out)
        bundle = _begin(plan.checkpoint, out, note)
        begin = time.monotonic()
        for number, step in enumerate(plan.steps):
            left = _time_left(plan.steps, number, time.monotonic() - begin)
            title = f"{step.part.component} {step.backend} {step.precision}"
            console.note(f"[{number + 1}/{len(plan.steps)}] {title}{left}")
            bundle = _build_step(step, out, bundle, console)
    finally:
        if is_new and not any(out.glob(MANIFEST)):
            shutil.rmtree(out, ignore_errors=True)
    _remove_unused(out, bundle)
    return bundle


def _check_same_checkpoint(plan: Plan, out: Path) -> None:
    """A build of some components may not leave others of another checkpoint beside them, under its settings."""
    previous, built = _previous(out), {step.part.component for step in plan.steps}
    if previous is None or previous.engines.keys() <= built:
        return
    if _lasting(plan.checkpoint.settings) != _lasting(previous.settings):
        raise CheckpointError(
            f"{out} holds a bundle with other settings than this checkpoint's: "
            f"build all components, or into another --out."
        )


def _lasting(settings: Settings) -> dict[str, object]:
    """The settings but for what a run takes where nothing is asked: that may be changed by hand."""
    return {name: value for name, value in vars(settings).items() if name != "defaults"}


def _time_left(steps: Sequence[Step], done: int, seconds: float) -> str:
    """How long the rest will take at the pace so far; nothing before a step is done."""
    finished = sum(work(step) for step in steps[:done])
    remaining = sum(work(step) for step in steps[done:])
    return f", about {seconds / finished * remaining:.0f} s left" if finished else ""


def _begin(checkpoint: Checkpoint, out: Path, note: str | None) -> Bundle:
    """The manifest to add engines to: what is there already, with the checkpoint's settings."""
    return Bundle(
        format=FORMAT,
        family=checkpoint.family,
        model_version=checkpoint.model_version,
        settings=checkpoint.settings,
        tokenizer=_tokenizer(checkpoint.tokenizer, out) if checkpoint.tokenizer else None,
        engines=dict(previous.engines) if (previous := _previous(out)) else {},
        note=note,
    )


def _previous(out: Path) -> Bundle | None:
    try:
        return read_bundle(out)
    except BundleError:
        return None  # none there, or one that is damaged and is built anew


def _tokenizer(source: Path, out: Path) -> BundleFile:
    with partial_folder(out, "tokenizer") as folder:
        write_tokenizer(source, folder / "tokenizer.json")
        move_into_place(folder, out / "tokenizer")
    return described(out, out / "tokenizer" / "tokenizer.json")


def _build_step(step: Step, out: Path, bundle: Bundle, console: Console) -> Bundle:
    key = _key(step)
    if (present := _up_to_date(step, key, bundle, console)) is not None:
        console.note("  up to date")
        return _added(bundle, step.part.component, _counted(present, step))
    started = time.monotonic()
    engine = _counted(_build_engine(step, key, out, console), step)
    for file in engine.files:
        share(out, file, bundle.files())
    bundle = _added(bundle, step.part.component, engine)
    write_bundle(out, bundle)
    console.note(f"  done in {time.monotonic() - started:.0f} s, {sum(f.bytes for f in engine.files) / 1e6:,.1f} MB")
    return bundle


def _added(bundle: Bundle, component: Component, engine: Engine) -> Bundle:
    """The bundle with an engine, and without the component's engines of other weights: one might be played instead."""
    alike = tuple(
        other
        for other in bundle.engines.get(component, ())
        if all(other.key.get(name) == engine.key[name] for name in ("architecture", "weights"))
    )
    return dataclasses.replace(bundle, engines={**bundle.engines, component: alike}).with_engine(component, engine)


def _key(step: Step) -> dict[str, str]:
    """All that decides the engine but its weights."""
    described_part = {"config": encode(step.part.config), "signature": encode(step.part.signature)}
    text = json.dumps(described_part, sort_keys=True, default=str)
    return {
        "backend": step.backend,
        "precision": step.precision,
        "exporter": EXPORTER,
        "architecture": hashlib.sha256(text.encode()).hexdigest(),
        **builder_of(step).identity(step),
    }


def _loras(step: Step) -> dict[str, str]:
    """What was merged, to be read by people: the weights' hash is what tells it apart, wherever the files lie."""
    told = "; ".join(lora.told for lora in step.part.loras)
    return {"loras": told} if told else {}


def _up_to_date(step: Step, key: dict[str, str], bundle: Bundle, console: Console) -> Engine | None:
    """The engine that is there, if all it depends on is as it was; the weights are hashed only if the rest is."""
    for engine in bundle.engines.get(step.part.component, ()):
        if all(engine.key.get(name) == value for name, value in key.items()):
            with console.bytes_of("comparing weights", step.part.weight_bytes) as advance:
                if engine.key.get("weights") == hash_weights(step.part.used(), advance):
                    return engine
    return None


def _build_engine(step: Step, key: dict[str, str], out: Path, console: Console) -> Engine:
    part = step.part
    with partial_folder(out, part.component) as folder:
        built = builder_of(step).write(step, folder, console)
        key = {**key, **built.key, "weights": built.weights, **_loras(step)}
        identity = hashlib.sha256(json.dumps(key, sort_keys=True).encode()).hexdigest()[:8]
        target = out / part.component / f"{step.backend}-{step.precision}-{identity}"
        move_into_place(folder, target)
    return Engine(
        backend=step.backend,
        precision=step.precision,
        files=tuple(described(out, target / name, sha256) for name, sha256 in built.files.items()),
        inputs=part.signature.inputs,
        outputs=part.signature.outputs,
        key=key,
        profiles=step.profiles,
        options=(*step.size_options, *(word for lora in part.loras for word in ("--lora", lora.option))),
        stages=tuple(
            Stage(
                file=(target / name).relative_to(out).as_posix(),
                inputs=stage.signature.inputs,
                outputs=stage.signature.outputs,
                first_frames=stage.first_frames,
            )
            for name, stage in zip(built.stages, part.stages if built.stages else (), strict=True)
        ),
    )


def _counted(engine: Engine, step: Step) -> Engine:
    """The engine with what it and its stages take in memory and operations, which older builds have not counted."""
    if engine.activations is not None and engine.operations is not None:
        return engine
    pairs = zip(engine.stages, step.part.stages if engine.stages else (), strict=True)
    kept = step.precision
    stages = tuple(dataclasses.replace(stage, **vars(counts_of(part, kept))) for stage, part in pairs)
    return dataclasses.replace(engine, stages=stages, **vars(counts_of(step.part, kept)))


def _remove_unused(out: Path, bundle: Bundle) -> None:
    """Removes engines that a newer build has replaced."""
    write_bundle(out, bundle)
    used = {(out / file.path).parent for file in bundle.files()}
    for component in bundle.engines:
        for folder in (out / component).iterdir():
            if folder not in used:
                shutil.rmtree(folder, ignore_errors=True)
