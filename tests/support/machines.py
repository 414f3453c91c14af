"""Machines that are not this one: their driver, their GPUs and the libraries that they have."""

from __future__ import annotations

import sys
from types import SimpleNamespace
from typing import TYPE_CHECKING

from vidrt_engines import cuda_driver, tensorrt_wheels
from vidrt_engines.cuda_driver import Driver, Gpu

if TYPE_CHECKING:
    import pytest

# What a CPU of either kind tells of its instructions, as far as anybody asks.
AVX2 = frozenset({"avx", "avx2", "fma", "f16c"})
AMX = AVX2 | {"avx512f", "avx512_vnni", "avx512_bf16", "amx_bf16", "amx_int8"}
NO_DRIVER = Driver(problem="there is no CUDA driver (libcuda.so.1)")


def gpu(name: str = "NVIDIA H200", compute_capability: str = "9.0", index: int = 0) -> Gpu:
    """Return a GPU of a data centre, unless told otherwise."""
    return Gpu(index=index, name=name, compute_capability=compute_capability, memory_bytes=150_754_820_096)


def driver(*gpus: Gpu, cuda_version: str = "13.1") -> Driver:
    """Return a driver with these GPUs, or with one."""
    return Driver(cuda_version=cuda_version, gpus=gpus or (gpu(),))


def pretend(patch: pytest.MonkeyPatch, found: Driver, *, built_for: int = 13, **versions: str | None) -> None:
    """Give this process another driver and libraries by module: a version, or None for one that is not installed.

    Wheels of TensorRT are those for CUDA `built_for`; modules that are not named stay as they are.
    """
    patch.setattr(cuda_driver, "_asked", lambda: found)
    wheels = tuple(f"{name}_cu{built_for}_libs" for name in versions if name.startswith("tensorrt") and versions[name])
    patch.setattr(tensorrt_wheels, "_installed", lambda: wheels)
    for name, version in versions.items():
        patch.setitem(sys.modules, name, version and SimpleNamespace(__version__=version))  # type: ignore[arg-type]
