"""Plans for TensorRT and TensorRT for RTX: a graph in the engine's own precision, compiled for some profiles."""

import hashlib
import json
import time
from collections.abc import Mapping
from pathlib import Path

import onnx_ir as ir
import torch
from torch import nn
from vidrt_engines.components import Signature
from vidrt_engines.cuda_driver import gpus
from vidrt_engines.jsonable import encode
from vidrt_engines.names import Backend, Precision
from vidrt_engines.platforms import platform_name
from vidrt_engines.precisions import ISLANDS
from vidrt_engines.profiles import Profile
from vidrt_engines.tensorrt_wheels import library_cuda
from vidrt_reference.checkpoint.errors import CheckpointError
from vidrt_reference.checkpoint.stored import StoredTensor

from vidrt_export.backends import onnxruntime
from vidrt_export.backends.base import Built, Step
from vidrt_export.checks.precision import check_precision, prepared
from vidrt_export.console import Console
from vidrt_export.part import Part
from vidrt_export.tensorrt import flavour
from vidrt_export.tensorrt.compiler import compile_plan
from vidrt_export.tensorrt.job import Expected, Initializer, Job, Report, Shape
from vidrt_export.tracing.trace import trace
from vidrt_export.writing.files import file_hash
from vidrt_export.writing.graph import IR_TYPES, attach_weights
from vidrt_export.writing.weights import Placed, hash_weights, kept_dtypes, place, size_of, write_weights

PLAN, GRAPH, WEIGHTS, TIMING = "model.plan", "model.onnx", "model.weights", "timing.cache"
# Measured with the 2B transformer: compiling takes this many times the weights of memory, and this long for each byte.
COMPILING, COMPILING_SECONDS, BYTES_A_SECOND = 2.5, 5.0, 100e6
_KERNEL_BYTES = 16 << 20
_NAMES = {dtype: name for name, dtype in IR_TYPES.items()}
_PRODUCTS = (nn.Linear, nn.Conv2d, nn.Conv3d)


def identity(step: Step) -> dict[str, str]:
    """The library, the machine it compiles for, and the sizes."""
    return {
        **_machine(step.backend),
        "tensorrt": flavour.version(step.backend),
        "cuda": library_cuda(step.backend) or "",
        "platform": platform_name(),
        "profiles": _digest(encode(step.profiles)),
        "weights_in": "stripped" if step.options.strip_weights else "plan",
        "stream_weights": "yes" if step.options.stream_weights else "no",
        "islands": _digest(encode(ISLANDS[step.part.component])),
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
    prepare = prepared(part.component, step.precision)
    model = trace(part.make, part.signature, part.sizes, backend=step.backend, prepare=prepare)
    expected = _expected(part, step.precision, model)
    stored_hash, initializers = _lay_weights(step, model, folder, console)
    ir.save(model, folder / GRAPH)
    graph_hash = file_hash(folder / GRAPH)
    check_precision(part, step.precision, step.profiles, step.options.limits, console)
    _compile(step, folder, expected, initializers, console)
    return Built(files=_kept(step, folder), weights=stored_hash, key={"graph": graph_hash})


def shapes(profile: Profile, signature: Signature) -> dict[str, tuple[Shape, ...]]:
    """For each input its minimum, optimum and maximum shapes."""

    def size(axis: str, end: str) -> int:
        return int(axis) if axis.isdigit() else int(getattr(profile[axis], end))

    return {
        spec.name: tuple(tuple(size(axis, end) for axis in spec.axes) for end in ("min", "opt", "max"))
        for spec in signature.inputs
    }


def _machine(backend: Backend) -> dict[str, str]:
    """For which GPU an engine is compiled: TensorRT proper, the one that is here; for RTX, any of its targets."""
    if backend is Backend.TENSORRT and (here := gpus()):
        return {"gpu": here[0].name, "compute_capability": here[0].compute_capability}
    return {"gpu": "any", "compute_capability": flavour.RTX_TARGETS}


def _expected(part: Part, precision: Precision, model: ir.Model) -> Expected:
    with torch.device("meta"):
        module = prepared(part.component, precision)(part.make())
    products = [layer for layer in module.modules() if isinstance(layer, _PRODUCTS)]
    wide = [layer for layer in products if layer.weight.dtype is torch.float32]
    attentions = [node for node in model.graph.all_nodes() if node.op_type == "Attention"]
    return Expected(precision=precision, attentions=len(attentions), wide=len(wide))


def _lay_weights(step: Step, model: ir.Model, folder: Path, console: Console) -> tuple[str, dict[str, Initializer]]:
    """Points the graph at its weights, and tells where they lie: in the checkpoint itself, unless they must change.

    A plan without weights needs them beside it.
    """
    tensors = step.part.used()
    dtypes = {name: _NAMES[model.graph.initializers[name].dtype or ir.DataType.FLOAT] for name in tensors}
    kept = {name for name in tensors if step.options.strip_weights or not _is_usable(tensors[name], dtypes[name])}
    changed = {name: tensors[name] for name in tensors if name in kept}
    placed = place(changed, dtypes)
    with console.bytes_of("reading weights", step.part.weight_bytes) as advance:
        stored_hash = hash_weights(tensors, advance)
    if changed:
        with console.bytes_of("writing weights", size_of(placed)) as advance:
            write_weights(folder / WEIGHTS, changed, placed, advance)
    attach_weights(model, {**_in_place(tensors, dtypes), **placed}, WEIGHTS, folder)
    return stored_hash, {name: _initializer(name, tensors[name], placed, folder) for name in tensors}


def _is_usable(tensor: StoredTensor, dtype: str) -> bool:
    """Whether a plan can be compiled from the bytes in the checkpoint: in the right type, and aligned to it."""
    return tensor.dtype == dtype and tensor.offset % (tensor.nbytes // max(1, _count(tensor))) == 0


def _count(tensor: StoredTensor) -> int:
    count = 1
    for size in tensor.shape:
        count *= size
    return count


def _in_place(tensors: Mapping[str, StoredTensor], dtypes: Mapping[str, str]) -> dict[str, Placed]:
    return {
        name: Placed(dtype=dtypes[name], shape=tensor.shape, offset=tensor.offset, nbytes=tensor.nbytes)
        for name, tensor in tensors.items()
    }


def _initializer(name: str, tensor: StoredTensor, placed: Mapping[str, Placed], folder: Path) -> Initializer:
    if name in placed:
        return Initializer(path=str(folder / WEIGHTS), offset=placed[name].offset, nbytes=placed[name].nbytes)
    return Initializer(path=str(tensor.path), offset=tensor.offset, nbytes=tensor.nbytes)


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
        timing_cache=str(folder / TIMING) if step.backend is Backend.TENSORRT else None,
    )
    what = step.part.component.replace("_", " ")
    begin = time.monotonic()
    with console.share_of("compiling") as advance:
        report = compile_plan(job, folder, what, advance)
    found = report.audit
    console.note(
        f"  compiled in {time.monotonic() - begin:.0f} s, {report.peak_bytes / 1e9:.1f} GB: {found.heavy} products and "
        f"convolutions, {found.attentions} fused attentions, {found.casts} casts"
    )
    return report


def _kept(step: Step, folder: Path) -> dict[str, str | None]:
    """The engine's files; what was only needed to compile is removed."""
    files = [PLAN, GRAPH, WEIGHTS] if step.options.strip_weights else [PLAN]
    for path in folder.iterdir():
        if path.name not in files:
            path.unlink()
    return dict.fromkeys(files)


def _digest(value: object) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()[:16]
