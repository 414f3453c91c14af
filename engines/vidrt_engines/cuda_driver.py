"""What the CUDA driver says of itself and its GPUs, asked through ctypes: no CUDA library of ours takes part."""

import ctypes
import functools
import sys
from dataclasses import dataclass
from typing import Any

_LIBRARY = "nvcuda.dll" if sys.platform == "win32" else "libcuda.so.1"
# CUdevice_attribute of cuda.h
_MAJOR, _MINOR = 75, 76
_NAME_BYTES = 256
# what cuInit gives where CUDA_VISIBLE_DEVICES hides every GPU
_NO_DEVICE = 100
_NONE_SHOWN = "the CUDA driver shows no GPU"


@dataclass(frozen=True, kw_only=True)
class Gpu:
    """A GPU as the driver counts them: CUDA_VISIBLE_DEVICES hides and reorders.

    Attributes:
        index: its number for this process.
        name: as the driver spells it, such as "NVIDIA H200".
        compute_capability: such as "9.0".
        memory_bytes: all of its memory, whether free or not.
    """

    index: int
    name: str
    compute_capability: str
    memory_bytes: int


@dataclass(frozen=True, kw_only=True)
class Driver:
    """What there is of a driver.

    Attributes:
        cuda_version: the newest CUDA that it runs, such as "13.1"; None where there is no driver.
        gpus: those that it shows to this process.
        problem: a clause that says why there are no GPUs, or None.
    """

    cuda_version: str | None = None
    gpus: tuple[Gpu, ...] = ()
    problem: str | None = None


def gpus() -> tuple[Gpu, ...]:
    """The GPUs that the driver shows to this process; none without a driver, or with one that fails."""
    return cuda_driver().gpus


def cuda_driver() -> Driver:
    """The driver of this machine, asked once; one that is missing or fails is told as such and raises nothing."""
    return _asked()


@functools.cache
def _asked() -> Driver:
    try:
        library = ctypes.CDLL(_LIBRARY)
    except OSError:
        return Driver(problem=f"there is no CUDA driver ({_LIBRARY})")
    version = None
    try:
        version = _version(library)
        _call(library, "cuInit", 0)
        found = tuple(_gpu(library, index) for index in range(_int(library, "cuDeviceGetCount")))
    except (_DriverError, AttributeError) as error:
        hidden = getattr(error, "status", None) == _NO_DEVICE
        return Driver(cuda_version=version, problem=_NONE_SHOWN if hidden else f"the CUDA driver fails: {error}")
    return Driver(cuda_version=version, gpus=found, problem=None if found else _NONE_SHOWN)


class _DriverError(Exception):
    def __init__(self, message: str, status: int) -> None:
        super().__init__(message)
        self.status = status


def _version(library: Any) -> str:
    number = _int(library, "cuDriverGetVersion")
    return f"{number // 1000}.{number % 1000 // 10}"


def _gpu(library: Any, index: int) -> Gpu:
    device = _int(library, "cuDeviceGet", index)
    name = ctypes.create_string_buffer(_NAME_BYTES)
    _call(library, "cuDeviceGetName", name, _NAME_BYTES, device)
    memory = ctypes.c_size_t()
    _call(library, "cuDeviceTotalMem_v2", ctypes.byref(memory), device)
    major, minor = (_int(library, "cuDeviceGetAttribute", attribute, device) for attribute in (_MAJOR, _MINOR))
    return Gpu(
        index=index,
        name=name.value.decode(errors="replace"),
        compute_capability=f"{major}.{minor}",
        memory_bytes=memory.value,
    )


def _int(library: Any, function: str, *arguments: object) -> int:
    """Calls a function that writes an int where its first argument points."""
    value = ctypes.c_int()
    _call(library, function, ctypes.byref(value), *arguments)
    return value.value


def _call(library: Any, function: str, *arguments: object) -> None:
    if status := getattr(library, function)(*arguments):
        raise _DriverError(f"{function} gave {_error_name(library, status)}", status)


def _error_name(library: Any, status: int) -> str:
    name = ctypes.c_char_p()
    try:
        unknown = library.cuGetErrorName(status, ctypes.byref(name))
    except AttributeError:
        unknown = 1
    return str(status) if unknown or name.value is None else name.value.decode(errors="replace")
