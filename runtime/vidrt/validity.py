"""Whether an engine can be played on this machine, found before it is opened."""

import itertools
import shlex
from dataclasses import dataclass
from pathlib import Path

from vidrt_engines.manifest import Engine
from vidrt_engines.names import Backend, Component, Precision
from vidrt_engines.platforms import platform_name
from vidrt_engines.tensorrt_wheels import library_cuda

from vidrt.devices import Device
from vidrt.libraries import player
from vidrt.readiness import gpu_of, obstacle, reaches


@dataclass(frozen=True, kw_only=True)
class Valid:
    """The engine can be played; `note` is what its library has to say all the same."""

    note: str | None = None


@dataclass(frozen=True, kw_only=True)
class Invalid:
    """The engine cannot be played.

    Attributes:
        field: what differs, in words.
        engine, here: its value in the engine and on this machine.
        cure: a clause: the command that builds the engine for this machine, or what else to do.
    """

    field: str
    engine: str
    here: str
    cure: str

    def __str__(self) -> str:
        return f"its {self.field} is {self.engine} and here it is {self.here}; {self.cure}"


@dataclass(frozen=True, kw_only=True)
class Unknown:
    """Nobody can say on this machine; `reason` is a clause."""

    reason: str


Validity = Valid | Invalid | Unknown

# What fits every machine, and what a builder writes that could not tell.
_UNBOUND = ("any", "")
# Fields of an engine's key that depend on the machine, in the order in which they are compared.
_WORDS = {
    "platform": "platform",
    "tensorrt": "TensorRT version",
    "cuda": "CUDA version",
    "compute_capability": "compute capability",
    "gpu": "GPU",
}
_NEEDED = ("tensorrt", "compute_capability")


def problem(
    engine: Engine, device: Device, *, component: Component | None = None, folder: Path | None = None
) -> str | None:
    """Says in a clause, without a full stop, why a device cannot play an engine and what to do, or None if it can.

    Graphs fit every machine: what onnxruntime lacks for them, its session says.

    Args:
        engine: as its bundle describes it; its files are not read.
        device: where it shall run.
        component: what the engine is, for the command that builds it again.
        folder: the bundle's, likewise.
    """
    if engine.backend is Backend.ONNXRUNTIME and not _is_for_cpu(engine, device):
        return None
    match check(engine, device, component=component, folder=folder):
        case Invalid() as found:
            return str(found)
        case Unknown(reason=reason):
            return reason
    return None


def check(
    engine: Engine, device: Device, *, component: Component | None = None, folder: Path | None = None
) -> Validity:
    """Compares an engine's key with this machine; for the arguments see `problem`.

    What NVIDIA documents is what is asked for: an engine of TensorRT runs on the version (all four numbers), platform
    and type of GPU that it was built for. One of TensorRT for RTX needs the same release too, runs on Linux and Windows
    alike, and on every compute capability that it was built for.
    """
    is_compiled = engine.backend.plays is not Backend.ONNXRUNTIME
    if is_compiled and (field := _differing(engine, device)):
        name, here = field
        cure = rebuild(engine, component, folder)
        return Invalid(field=_WORDS[name], engine=engine.key[name], here=here, cure=cure)
    if reason := obstacle(engine.backend, device):
        return Unknown(reason=reason)
    if _is_for_cpu(engine, device):
        return Unknown(reason=f"engines in {engine.precision} are for the CPU and the device is {device}")
    if is_compiled and (missing := [name for name in _NEEDED if not engine.key.get(name)]):
        cure = rebuild(engine, component, folder)
        return Unknown(reason=f"bundle.json does not tell its {_WORDS[missing[0]]}; {cure}")
    return Valid()


def rebuild(engine: Engine, component: Component | None, folder: Path | None) -> str:
    """A clause with the command that builds an engine again: SOURCE, and what is not known here, are for the reader."""
    what = component or "COMPONENT"
    where = "BUNDLE" if folder is None else str(folder)
    kept = ["--t5-gguf", "FILE"] if engine.precision is Precision.GGUF else ["--precision", engine.precision]
    options = ["--out", where, "--backend", engine.backend, *kept, "--component", what]
    return f"run: {shlex.join(['build-engines', 'SOURCE', *options, *engine.options])}"


def _is_for_cpu(engine: Engine, device: Device) -> bool:
    """Whether onnxruntime has no kernel on CUDA for what the engine is made of, and would go to the host for each."""
    return engine.precision is Precision.INT8 and device.kind == "cuda"


def _differing(engine: Engine, device: Device) -> tuple[str, str] | None:
    """The first field of the key whose value here is known and does not fit, with that value."""
    gpu = gpu_of(device)
    here = {
        "platform": platform_name(),
        "tensorrt": player(engine.backend).version,
        "cuda": library_cuda(engine.backend),
        "compute_capability": gpu.compute_capability if gpu else None,
        "gpu": gpu.name if gpu else None,
    }
    known = ((name, value) for name, value in here.items() if value is not None)
    return next((pair for pair in known if not _fits(engine, *pair)), None)


def _fits(engine: Engine, name: str, here: str) -> bool:
    wanted = engine.key.get(name, "")
    if wanted in _UNBOUND:
        return True
    if name == "compute_capability":
        return reaches(wanted, here)
    if name == "tensorrt":
        return _release(wanted) == _release(here)
    if name == "cuda":
        return wanted.split(".")[0] == here
    if name == "platform" and engine.backend is Backend.TENSORRT_RTX:
        # the operating system may differ, the processor may not
        return wanted.rpartition("-")[2] == here.rpartition("-")[2]
    return wanted == here


def _release(version: str) -> str:
    """The numbers of a version, without what a wheel may add to those of its library, as in "11.4.0.9.post1"."""
    return ".".join(itertools.takewhile(str.isdigit, version.split(".")))
