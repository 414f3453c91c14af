"""Which of a bundle's engines plays a component."""

from collections.abc import Callable, Iterator
from pathlib import Path

from vidrt_engines.errors import BundleError
from vidrt_engines.manifest import Bundle, Engine
from vidrt_engines.names import Backend, Component

from vidrt.devices import Device
from vidrt.errors import DeviceError
from vidrt.validity import problem

AUTO = "auto"
# What `auto` tries, the fastest first.
_ORDER = {
    "cuda": (Backend.TENSORRT, Backend.TENSORRT_RTX, Backend.ONNXRUNTIME),
    "cpu": (Backend.ONNXRUNTIME,),
}


def check_backend(backend: str, device: Device) -> None:
    """Finds a backend that cannot be had whatever the bundle holds.

    Raises:
        DeviceError: it is not known, or needs another device.
    """
    if backend != AUTO and backend not in list(Backend):
        raise DeviceError(f"The backend should be one of auto, {', '.join(Backend)}, not '{backend}'.")
    if backend not in (AUTO, *_ORDER[device.kind]):
        raise DeviceError(f"{backend} needs a CUDA device and the device is {device}: use --backend onnxruntime.")


def choose_engine(
    bundle: Bundle, component: Component, backend: str, folder: Path, device: Device, note: Callable[[str], None]
) -> Engine:
    """The engine of a component for a backend; for `auto` the fastest that can be played here.

    Args:
        bundle: the manifest.
        component: what is to be played.
        backend: auto, or one that `check_backend` has passed.
        folder: the bundle's.
        device: where it shall run.
        note: is told what `auto` passes over, and why.

    Raises:
        BundleError: the bundle has none for the component.
        DeviceError: it has none for the backend, or none that can be played here.
    """
    engines = bundle.engines.get(component, ())
    if not engines:
        raise BundleError(f"{folder} has no {component} yet; run build-engines with --out {folder} to finish it.")
    order = _ORDER[device.kind] if backend == AUTO else (Backend(backend),)
    problems: list[str] = []
    for engine in _in_order(engines, order):
        reason = problem(engine, device, component=component, folder=folder)
        if reason is None:
            for line in problems:
                note(f"{line}; playing it with {engine.backend}.")
            return engine
        problems.append(f"The {component.spoken} for {engine.backend} cannot be played here: {reason}")
    if problems:
        raise DeviceError(f"{problems[0]}.")
    wanted = order[-1]
    raise DeviceError(f"{folder} has no {component} for {wanted}; build it with build-engines --backend {wanted}.")


def _in_order(engines: tuple[Engine, ...], order: tuple[Backend, ...]) -> Iterator[Engine]:
    return (engine for backend in order for engine in engines if engine.backend is backend)
