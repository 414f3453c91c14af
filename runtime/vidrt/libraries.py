"""The libraries that play engines: which are installed here, and what keeps one from being used."""

from dataclasses import dataclass
from importlib import import_module
from types import ModuleType

from vidrt_engines.names import Backend
from vidrt_engines.tensorrt_wheels import MODULES


@dataclass(frozen=True, kw_only=True)
class Library:
    """A library as it was found.

    Attributes:
        name: as people call it.
        module: the module, None where it cannot be imported.
        version: None where there is none.
        problem: a clause that says why it cannot be used and what to do, or None.
    """

    name: str
    module: ModuleType | None = None
    version: str | None = None
    problem: str | None = None


_PLAYERS = {
    Backend.TENSORRT: ("TensorRT", MODULES[Backend.TENSORRT], "vidrt[tensorrt]"),
    Backend.TENSORRT_RTX: ("TensorRT for RTX", MODULES[Backend.TENSORRT_RTX], "vidrt[rtx]"),
    Backend.ONNXRUNTIME: ("onnxruntime", "onnxruntime", "vidrt[cpu]"),
    Backend.OPENVINO: ("OpenVINO", "openvino", "vidrt[openvino]"),
}
# wheels that all bring the module `onnxruntime`
_ONNXRUNTIME_WHEELS = ("onnxruntime", "onnxruntime-gpu", "onnxruntime-openvino", "onnxruntime-directml")


def player(backend: Backend) -> Library:
    """The library that plays a backend's engines; importing it is all that is done."""
    return _find(*_PLAYERS[backend])


def cuda_bindings(backend: Backend) -> Library:
    """What TensorRT's sessions reach CUDA's memory and streams through."""
    return _find("cuda-bindings", "cuda.bindings.runtime", _PLAYERS[backend][2], wheel="cuda-bindings")


def pyav() -> Library:
    """What writes MP4."""
    return _find("PyAV", "av", "av")


def has_h264(av: ModuleType) -> bool:
    """Whether this PyAV was built with x264."""
    return "libx264" in av.codecs_available


def onnxruntime_wheels() -> tuple[str, ...]:
    """The installed wheels, by name and version, that bring the module `onnxruntime`: one of several hides the rest."""
    return tuple(f"{name} {found}" for name in _ONNXRUNTIME_WHEELS if (found := _wheel_version(name)))


def _find(name: str, module: str, requirement: str, *, wheel: str | None = None) -> Library:
    install = f"pip install '{requirement}'"
    try:
        found = import_module(module)
    except Exception as error:  # noqa: BLE001 - a damaged library raises what it likes: OSError, ImportError, RuntimeError
        if isinstance(error, ModuleNotFoundError) and error.name and module.startswith(error.name):
            return Library(name=name, problem=f"{name} is not installed; run: {install}")
        reason = _first_line(error)
        problem = f"{name} is installed and does not load ({reason}); run: {install} --force-reinstall"
        return Library(name=name, version=_wheel_version(wheel or module), problem=problem)
    told = getattr(found, "__version__", None)
    return Library(name=name, module=found, version=_wheel_version(wheel) if wheel else told)


def _wheel_version(wheel: str) -> str | None:
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version(wheel)
    except PackageNotFoundError:
        return None


def _first_line(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0].rstrip(".")
