"""Which of a bundle's engines plays a component."""

import dataclasses
from collections.abc import Callable, Iterator
from pathlib import Path

from vidrt_engines.errors import BundleError
from vidrt_engines.manifest import Bundle, Engine
from vidrt_engines.names import Backend, Component, Precision

from vidrt.cpu import computes_bf16
from vidrt.devices import Device
from vidrt.errors import DeviceError
from vidrt.libraries import player
from vidrt.validity import problem

AUTO = "auto"
# What there is for a device; on CUDA `auto` tries it in this order, the fastest first.
_ORDER = {
    "cuda": (Backend.TENSORRT, Backend.TENSORRT_RTX, Backend.ONNXRUNTIME),
    "cpu": (Backend.ONNXRUNTIME, Backend.OPENVINO),
}
# Where a run spends its time: why `auto` plays these as it does is told, for the others it is the same.
_DENOISERS = (Component.TRANSFORMER, Component.UNET)


def check_backend(backend: str, device: Device) -> None:
    """Finds a backend that cannot be had whatever the bundle holds.

    Raises:
        DeviceError: it is not known, or needs another device.
    """
    if backend != AUTO and backend not in list(Backend):
        raise DeviceError(f"The backend should be one of auto, {', '.join(Backend)}, not '{backend}'.")
    if backend == Backend.OPENVINO and device.kind != "cpu":
        raise DeviceError(f"{backend} computes on the CPU and the device is {device}: give --cpu as well.")
    if backend not in (AUTO, *_ORDER[device.kind]):
        raise DeviceError(f"{backend} needs a CUDA device and the device is {device}: use --backend onnxruntime.")


def choose_engine(
    bundle: Bundle, component: Component, backend: str, folder: Path, device: Device, note: Callable[[str], None]
) -> Engine:
    """The engine of a component, its backend the one that is to play it; for `auto` the fastest that can do so here.

    On the CPU `auto` plays the first of the engines, whatever else there is: none is taken for another precision than
    the one that was asked for last. OpenVINO plays it where it is in bf16 and the CPU computes in that.

    Args:
        bundle: the manifest.
        component: what is to be played.
        backend: auto, or one that `check_backend` has passed.
        folder: the bundle's.
        device: where it shall run.
        note: is told what `auto` passes over, and why, and why it does not take onnxruntime or might not.

    Raises:
        BundleError: the bundle has none for the component.
        DeviceError: it has none for the backend, or none that can be played here.
    """
    engines = bundle.engines.get(component, ())
    if not engines:
        raise BundleError(f"{folder} has no {component} yet; run build-engines with --out {folder} to finish it.")
    order = _order(engines, component, device, note) if backend == AUTO else (Backend(backend),)
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
    return (
        dataclasses.replace(engine, backend=backend)
        for backend in order
        for engine in engines
        if engine.backend is backend.plays
    )


def _order(
    engines: tuple[Engine, ...], component: Component, device: Device, note: Callable[[str], None]
) -> tuple[Backend, ...]:
    graphs = (engine for engine in engines if engine.backend is Backend.ONNXRUNTIME)
    is_bf16 = any(engine.precision is Precision.BF16 for engine in [*graphs][:1])
    if device.kind != "cpu" or not is_bf16 or not computes_bf16():
        return _ORDER[device.kind] if device.kind != "cpu" else (Backend.ONNXRUNTIME,)
    missing = player(Backend.OPENVINO).problem
    if component in _DENOISERS:
        note(
            f"onnxruntime computes bf16 engines in fp32, and this CPU has bf16: {missing}."
            if missing
            else "openvino plays bf16 engines: this CPU has bf16, and onnxruntime would compute in fp32."
        )
    return (Backend.ONNXRUNTIME,) if missing else (Backend.OPENVINO, Backend.ONNXRUNTIME)
