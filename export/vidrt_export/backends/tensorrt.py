"""Plans for TensorRT and TensorRT for RTX: a graph in the engine's own precision, compiled for some profiles."""

import hashlib
import json
import time
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import onnx_ir as ir
import torch
from vidrt_engines.components import Signature
from vidrt_engines.cuda_driver import gpus
from vidrt_engines.jsonable import decode, encode
from vidrt_engines.names import Backend
from vidrt_engines.places import kernel_caches
from vidrt_engines.platforms import platform_name
from vidrt_engines.precisions import ISLANDS
from vidrt_engines.profiles import Profile
from vidrt_engines.tensorrt_wheels import library_cuda
from vidrt_reference.checkpoint.errors import CheckpointError

from vidrt_export.backends import onnxruntime
from vidrt_export.backends.base import Built, Step
from vidrt_export.checks.precision import check_precision, prepared
from vidrt_export.checks.shapes import Shape as CheckedShape
from vidrt_export.console import Console
from vidrt_export.tensorrt import flavour
from vidrt_export.tensorrt.compiler import compile_plan, run_process
from vidrt_export.tensorrt.job import Expected, Initializer, Inspection, Job, Replay, Report, Shape
from vidrt_export.tensorrt.recipe import expected_of
from vidrt_export.tensorrt.weights import WEIGHTS, lay_weights
from vidrt_export.tracing.trace import trace
from vidrt_export.writing.files import file_hash
from vidrt_export.writing.weights import kept_dtypes, place, size_of

PLAN, GRAPH = "model.plan", "model.onnx"
# Measured with the 2B transformer: compiling takes this many times the weights of memory, and this long for each byte.
COMPILING, COMPILING_SECONDS, BYTES_A_SECOND = 2.5, 5.0, 100e6
_KERNEL_BYTES = 16 << 20


def identity(step: Step) -> dict[str, str]:
    """The library, the machine it compiles for, and the sizes."""
    return {
        **flavour.machine(step.backend),
        "tensorrt": flavour.version(step.backend),
        "cuda": library_cuda(step.backend) or "",
        "platform": platform_name(),
        "profiles": _digest(encode(step.profiles)),
        "weights_in": "stripped" if step.options.strip_weights else "plan",
        "stream_weights": "yes" if step.options.stream_weights else "no",
        "islands": _digest(encode(ISLANDS[step.part.family][step.part.component])),
    }


def disk_bytes(step: Step) -> int:
    """The plan, which holds the weights unless it is stripped of them, and then they lie beside it."""
    return size_of(place(step.part.used(), kept_dtypes(step.part.used(), step.precision))) + _KERNEL_BYTES


def memory_bytes(step: Step) -> int:
    """What compiling takes: more than tracing, which is over by then."""
    return max(onnxruntime.TRACING_BYTES, int(COMPILING * disk_bytes(step)))


def seconds(step: Step) -> float:
    """Tracing, compiling and checking."""
    return onnxruntime.TRACING_SECONDS + COMPILING_SECONDS + disk_bytes(step) / BYTES_A_SECOND


def check(step: Step) -> None:
    """The flavour has to be installed; TensorRT proper compiles only where the GPU is, and so does stripping."""
    flavour.version(step.backend)
    if gpus():
        return
    if step.backend is Backend.TENSORRT:
        raise CheckpointError(
            "TensorRT compiles engines on the GPU that they are for, and there is none here: "
            "build there, or use --backend tensorrt-rtx."
        )
    if step.options.strip_weights:
        raise CheckpointError("--strip-weights needs a CUDA driver, and there is none here: leave it out.")


def write(step: Step, folder: Path, console: Console) -> Built:
    """Traces, checks the precision, compiles."""
    part = step.part
    console.note("  tracing the graph")
    prepare = prepared(part, step.precision)
    model = trace(part.make, part.signature, part.sizes, backend=step.backend, prepare=prepare)
    expected = expected_of(part, step.precision, model)
    stored_hash, initializers = lay_weights(step.part, model, folder, console, beside=step.options.strip_weights)
    ir.save(model, folder / GRAPH)
    graph_hash = file_hash(folder / GRAPH)
    has_gpu = bool(gpus())
    if not has_gpu:  # with one, the engine itself is run
        check_precision(part, step.precision, step.profiles, step.options.limits, console)
    _compile(step, folder, expected, initializers, console)
    if has_gpu:
        check_precision(
            part, step.precision, step.profiles, step.options.limits, console, partial(_played, step, folder, console)
        )
    return Built(files=_kept(step, folder), weights=stored_hash, key={"graph": graph_hash})


def shapes(profile: Profile, signature: Signature) -> dict[str, tuple[Shape, ...]]:
    """For each input its minimum, optimum and maximum shapes."""

    def size(axis: str, end: str) -> int:
        return int(axis) if axis.isdigit() else int(getattr(profile[axis], end))

    return {
        spec.name: tuple(tuple(size(axis, end) for axis in spec.axes) for end in ("min", "opt", "max"))
        for spec in signature.inputs
    }


def _compile(
    step: Step, folder: Path, expected: Expected, initializers: dict[str, Initializer], console: Console
) -> Report:
    signature, options = step.part.signature, step.options
    job = Job(
        backend=step.backend,
        graph=str(folder / GRAPH),
        initializers=initializers,
        profiles=tuple(shapes(profile, signature) for profile in step.profiles),
        plan=str(folder / PLAN),
        expected=expected,
        memory_limit=options.memory_limit,
        strip=options.strip_weights,
        stream_weights=options.stream_weights,
        timing_cache=_timing_cache(step.backend),
    )
    begin = time.monotonic()
    with console.share_of("compiling") as advance:
        report = compile_plan(job, folder, step.part.component.spoken, advance)
    found = report.audit
    console.note(
        f"  compiled in {time.monotonic() - begin:.0f} s, {report.peak_bytes / 1e9:.1f} GB: {found.heavy} products, "
        f"convolutions and attentions, {expected.fused} of {found.attentions} attentions fused, {found.casts} casts"
    )
    return report


def _timing_cache(backend: Backend) -> str | None:
    """What TensorRT proper measured on this GPU before; for RTX it would need a GPU to compile."""
    if backend is not Backend.TENSORRT:
        return None
    key = "-".join([flavour.version(backend), *flavour.machine(backend).values()]).replace(" ", "_")
    return str(kernel_caches() / f"{backend}-{key}.timing")


def _played(
    step: Step, folder: Path, console: Console, inputs: Mapping[str, torch.Tensor], shape: CheckedShape
) -> torch.Tensor:
    """What the compiled engine itself gives, on the GPU."""
    arrays: dict[str, Any] = {name: value.numpy() for name, value in inputs.items()}
    np.savez(folder / "inputs.npz", **arrays)
    job = Replay(
        backend=step.backend,
        plan=str(folder / PLAN),
        profile=shape.profile,
        inputs=str(folder / "inputs.npz"),
        outputs=str(folder / "outputs.npz"),
        graph=str(folder / GRAPH) if step.options.strip_weights else None,
    )
    report = run_process("replay", encode(job), folder, step.part.component.spoken)
    inspection = decode(Inspection, report, "report")
    console.note(f"  the engine has {inspection.layers} layers, {inspection.attentions} of them fused attention")
    with np.load(job.outputs) as outputs:
        return torch.from_numpy(outputs[step.part.signature.outputs[0].name])


def _kept(step: Step, folder: Path) -> dict[str, str | None]:
    """The engine's files; what was only needed to compile is removed."""
    files = [PLAN, GRAPH, WEIGHTS] if step.options.strip_weights else [PLAN]
    for path in folder.iterdir():
        if path.name not in files:
            path.unlink()
    return dict.fromkeys(files)


def _digest(value: object) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()[:16]
