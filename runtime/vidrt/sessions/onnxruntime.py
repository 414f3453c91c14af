"""Sessions on onnxruntime, for the CPU and for CUDA."""

from collections.abc import Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
from vidrt_engines.manifest import Engine
from vidrt_engines.names import Precision
from vidrt_engines.streaming import LAST

from vidrt.closing import Closing
from vidrt.cuda.arrays import DeviceArray, MixedArray
from vidrt.devices import Device
from vidrt.errors import DeviceError, MissingExtraError
from vidrt.sessions.base import check_inputs, check_outputs
from vidrt.sessions.failures import failure
from vidrt.sessions.onnxruntime_binding import run_on_device

ERRORS_ONLY, FATAL_ONLY = 3, 4
# Weights stay in their file, mapped, instead of being widened, transposed and packed into memory when a graph opens.
# Measured on the 2B transformer in bf16: open in 0.4 s instead of 42 s, 4.3 GB at the peak instead of 15.7 GB, steps
# as fast. On SVD's UNet in fp16, where the last level of optimisation copies the kernels of convolutions into blocks:
# open in 1 s instead of 30 s, 3.6 GB instead of 8.8 GB, steps as fast.
UNFOLDED = {"optimization.constant_folding_max_output_size_in_bytes": str(1 << 20)}
STAY_MAPPED = {"session.disable_prepacking": "1", **UNFOLDED}
# Quantised blocks are packed when a graph opens: into as many bytes, which then are no longer mapped. Left in their
# file they would be widened as a whole in every product, which then takes seven times as long at 32 rows, three at 128.
SETTINGS = {Precision.GGUF: UNFOLDED}


class OnnxruntimeSession(Closing):
    """A graph opened by onnxruntime."""

    def __init__(self, path: Path, engine: Engine, device: Device, what: str) -> None:
        self._engine, self._device, self._what = engine, device, what
        # the arenas of all stages would each keep what it needed at most, while one stage runs at a time
        keeps_memory = all(spec.name != LAST for spec in engine.inputs)
        settings = SETTINGS.get(engine.precision, STAY_MAPPED)
        self._session: Any = _open(path, device, settings, what, keeps_memory=keeps_memory)
        self._quietly = _library(device).RunOptions()
        self._quietly.log_severity_level = FATAL_ONLY  # what fails is raised, and told by whoever catches it
        self.provider: str = self._session.get_providers()[0]
        if device.kind == "cuda" and self.provider != "CUDAExecutionProvider":
            raise DeviceError(f"onnxruntime could not use {device} for the {what}; check CUDA and cuDNN or use --cpu.")

    def run(self, arrays: Mapping[str, MixedArray]) -> dict[str, Any]:
        """Runs the graph once; on CUDA outputs stay on the device if any input came from there, and are not looked at.

        Raises:
            RequestError: the arrays do not fit the manifest.
            OutOfMemoryError: there is not enough memory for it.
            EngineError: the graph failed, or gave values that are no numbers.
        """
        check_inputs(self._engine, arrays, self._what)
        try:
            outputs = self._run(arrays)
        except Exception as error:  # onnxruntime's own exceptions share no base
            raise failure(f"The {self._what} failed: {_first_line(error)}.", error) from error
        check_outputs({name: v for name, v in outputs.items() if isinstance(v, np.ndarray)}, self._what)
        return outputs

    def _run(self, arrays: Mapping[str, MixedArray]) -> dict[str, Any]:
        device = next((array.device for array in arrays.values() if isinstance(array, DeviceArray)), None)
        if device is not None and self._device.kind == "cuda":
            return run_on_device(self._session, self._engine, arrays, device, ("cuda", self._device.index))
        names = [spec.name for spec in self._engine.outputs]
        given = {name: np.asarray(array) for name, array in arrays.items()}
        results = self._session.run(names, given, self._quietly)
        return dict(zip(names, results, strict=True))

    def close(self) -> None:
        """Releases the graph and its memory."""
        self._session = None


def _open(path: Path, device: Device, settings: Mapping[str, str], what: str, *, keeps_memory: bool) -> Any:
    ort = _library(device)
    options = ort.SessionOptions()
    options.log_severity_level = ERRORS_ONLY
    for key, value in settings.items():
        options.add_session_config_entry(key, value)
    if device.kind == "cpu":
        options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_ENABLE_EXTENDED
        options.enable_mem_pattern = False  # one block for all activations, kept beside what the arena already has
        options.enable_cpu_mem_arena = keeps_memory
    try:
        return ort.InferenceSession(path, options, providers=_providers(device))
    except Exception as error:  # onnxruntime's own exceptions share no base
        raise failure(f"onnxruntime cannot open the {what}: {_first_line(error)}.", error) from error


def _providers(device: Device) -> list[Any]:
    if device.kind == "cuda":
        return [("CUDAExecutionProvider", {"device_id": device.index}), "CPUExecutionProvider"]
    return ["CPUExecutionProvider"]


def _library(device: Device) -> ModuleType:
    extra = "cuda" if device.kind == "cuda" else "cpu"
    try:
        import onnxruntime as ort
    except ImportError as error:
        raise MissingExtraError(f"onnxruntime is not installed; run: pip install 'vidrt[{extra}]'.") from error
    if device.kind == "cuda" and "CUDAExecutionProvider" not in ort.get_available_providers():
        raise MissingExtraError(
            "This onnxruntime has no CUDA; run: pip uninstall onnxruntime && pip install 'vidrt[cuda]'."
        )
    return ort  # type: ignore[no-any-return]


def _first_line(error: Exception) -> str:
    return str(error).strip().split("\n")[0].rstrip(".") or type(error).__name__
