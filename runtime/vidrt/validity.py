"""Whether an engine can be played on this machine, found before it is opened."""

from pathlib import Path

from vidrt_engines.manifest import Engine
from vidrt_engines.names import Backend, Component

from vidrt.devices import Device


def problem(
    engine: Engine, device: Device, *, component: Component | None = None, folder: Path | None = None
) -> str | None:
    """Says in a clause, without a full stop, why a device cannot play an engine and what to do, or None if it can.

    Args:
        engine: as its bundle describes it; its files are not read.
        device: where it shall run.
        component: what the engine is, for the command that builds it again.
        folder: the bundle's, likewise.
    """
    if engine.backend is Backend.ONNXRUNTIME or device.kind == "cuda":
        return None
    what, where = component or "engine", folder or "the bundle"
    return f"the {what} of {where} for {engine.backend} needs a GPU and the device is {device}"
