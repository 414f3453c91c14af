"""The kernels that TensorRT for RTX compiles on the machine where it runs, kept for the next run."""

import contextlib
import hashlib
import os
from pathlib import Path
from typing import Any

from vidrt_engines.cuda_driver import cuda_driver
from vidrt_engines.manifest import Engine
from vidrt_engines.places import kernel_caches

from vidrt.devices import Device


class KernelCache:
    """A file of compiled kernels for one engine on one kind of GPU.

    A cache that is damaged or of another version is passed over, by TensorRT's own check, and written anew.
    """

    def __init__(self, config: Any, path: Path) -> None:
        self._path, self._cache = path, config.create_runtime_cache()
        self._kept = path.read_bytes() if path.is_file() else b""
        if self._kept and not self._cache.deserialize(self._kept):
            self._kept = b""
        config.set_runtime_cache(self._cache)

    def save(self) -> None:
        """Writes what was compiled since, so that a reader sees the old file or the new one."""
        content = bytes(self._cache.serialize())
        if content == self._kept:
            return
        beside = self._path.with_name(f".{self._path.name}.{os.getpid()}")
        with contextlib.suppress(OSError):  # a cache that cannot be written costs time and nothing else
            self._path.parent.mkdir(parents=True, exist_ok=True)
            beside.write_bytes(content)
            beside.replace(self._path)


def cache_path(engine: Engine, device: Device, version: str) -> Path:
    """The file for an engine: another GPU, driver, library or plan has another."""
    driver = cuda_driver()
    gpu = driver.gpus[device.index] if device.index < len(driver.gpus) else None
    name, capability = (gpu.name, gpu.compute_capability) if gpu else ("", "")
    key = "\n".join((name, capability, str(driver.cuda_version), version, engine.files[0].sha256))
    return kernel_caches() / f"{hashlib.sha256(key.encode()).hexdigest()[:24]}.cache"
