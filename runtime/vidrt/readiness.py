"""What each backend needs of this machine before any engine is looked at."""

import re

from vidrt_engines.cuda_driver import Gpu, cuda_driver
from vidrt_engines.names import Backend
from vidrt_engines.tensorrt_wheels import library_cuda

from vidrt.devices import Device
from vidrt.libraries import cuda_bindings, player

# Compute capabilities that TensorRT for RTX runs on, by its documentation; TensorRT has no such gaps among new GPUs.
_RTX_RUNS_ON = "7.5 8.0 8.6 8.9 12.0+"


def obstacle(backend: Backend, device: Device) -> str | None:
    """Says in a clause, without a full stop, what keeps a backend from a device and what to do, or None."""
    if device.kind == "cpu" and backend.plays is not Backend.ONNXRUNTIME:
        return f"{backend} needs a GPU and the device is {device}"
    if device.kind == "cuda" and backend is Backend.OPENVINO:
        return f"{backend} computes on the CPU and the device is {device}"
    library = player(backend)
    if library.problem or device.kind == "cpu":
        return library.problem
    return _driver_obstacle(device) or (
        _onnxruntime_obstacle(library.module) if backend is Backend.ONNXRUNTIME else _tensorrt_obstacle(backend, device)
    )


def gpu_of(device: Device) -> Gpu | None:
    """The GPU that a device is, or None where the driver shows none."""
    found = cuda_driver().gpus
    return found[device.index] if device.kind == "cuda" and device.index < len(found) else None


def reaches(targets: str, compute_capability: str) -> bool:
    """Whether a compute capability is one of `targets`: "8.0 8.9 12.0+" is 8.0, 8.9, and 12.0 and all later ones."""
    return any(_is_target(target, compute_capability) for target in targets.split())


def _is_target(target: str, compute_capability: str) -> bool:
    if not re.fullmatch(r"\d+\.\d+\+", target):
        return target == compute_capability
    return _numbers(compute_capability) >= _numbers(target.removesuffix("+"))


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"\d+", version))


def _driver_obstacle(device: Device) -> str | None:
    driver = cuda_driver()
    if driver.problem or gpu_of(device):
        return driver.problem
    return f"the driver reports {len(driver.gpus)} CUDA devices and {device} is not one of them"


def _onnxruntime_obstacle(module: object) -> str | None:
    if "CUDAExecutionProvider" in module.get_available_providers():  # type: ignore[attr-defined]
        return None
    return "this onnxruntime has no CUDA; run: pip uninstall onnxruntime && pip install 'vidrt[cuda]'"


def _tensorrt_obstacle(backend: Backend, device: Device) -> str | None:
    if problem := cuda_bindings(backend).problem:
        return problem
    built_for, driver = library_cuda(backend), cuda_driver().cuda_version
    if built_for and driver and _numbers(driver)[0] < int(built_for):
        return (
            f"{backend} here is built for CUDA {built_for} and the driver runs CUDA up to {driver}; update the driver"
        )
    gpu = gpu_of(device)
    if backend is Backend.TENSORRT_RTX and gpu and not reaches(_RTX_RUNS_ON, gpu.compute_capability):
        return f"{backend} runs on compute capability {_RTX_RUNS_ON}, not on {gpu.compute_capability}; use tensorrt"
    return None
