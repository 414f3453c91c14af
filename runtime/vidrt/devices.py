"""Devices by name."""

import re
from dataclasses import dataclass

from vidrt_engines.cuda_driver import gpus

from vidrt.errors import DeviceError


@dataclass(frozen=True, kw_only=True)
class Device:
    """Where engines run: the CPU, or the CUDA device `index`."""

    kind: str
    index: int = 0

    def __str__(self) -> str:
        return self.kind if self.kind == "cpu" else f"{self.kind}:{self.index}"


def described(device: Device) -> str:
    """A device with its GPU's name, where the driver knows it."""
    names = [gpu.name for gpu in gpus() if gpu.index == device.index] if device.kind == "cuda" else []
    return ", ".join([str(device), *names])


def parse_device(name: str) -> Device:
    """Reads `auto`, `cpu`, `cuda` or `cuda:N`; `auto` is the first CUDA device where there is one, else the CPU.

    Raises:
        DeviceError: no such name, or a device that is not there.
    """
    if name == "cpu" or (name == "auto" and not gpus()):
        return Device(kind="cpu")
    match = re.fullmatch(r"(?:auto|cuda)(?::(\d+))?", name)
    if not match or (name.startswith("auto") and name != "auto"):
        raise DeviceError(f"The device should be auto, cpu, cuda or cuda:N, not '{name}'.")
    index = int(match[1] or 0)
    if index >= (count := len(gpus())):
        raise DeviceError(f"The device {name} is not there: the driver reports {count} CUDA devices; use --device cpu.")
    return Device(kind="cuda", index=index)
