"""What one engine takes in memory: its weights, and its values at some sizes."""

from collections.abc import Mapping
from dataclasses import dataclass

from vidrt_engines.manifest import Engine
from vidrt_engines.memory import Activations
from vidrt_engines.names import Backend, Component, Precision

from vidrt.planning.calibration import PROCESS, STREAMED_WEIGHTS, Factors, factors

_FLOAT = 4
_GRAPHS = (".onnx",)


@dataclass(frozen=True, kw_only=True)
class Need:
    """Bytes at the peak: `own` are the process's or the device's, `mapped` lie in files that the system may drop."""

    own: int
    mapped: int = 0


@dataclass(frozen=True, kw_only=True)
class LatentSize:
    """How many latent frames, rows and columns a decoder sees, and of how many videos."""

    frames: int
    rows: int
    columns: int
    batch: int = 1

    @classmethod
    def of(cls, shape: tuple[int, int, int], batch: int = 1) -> "LatentSize":
        """From `shape`."""
        frames, rows, columns = shape
        return cls(frames=frames, rows=rows, columns=columns, batch=batch)

    @property
    def shape(self) -> tuple[int, int, int]:
        """Frames, rows, columns."""
        return self.frames, self.rows, self.columns


def streams(engine: Engine) -> bool:
    """Whether an engine can be played stage by stage."""
    return bool(engine.stages) and engine.backend.plays is Backend.ONNXRUNTIME


def weights(engine: Engine, *, is_streamed: bool = False) -> Need:
    """What the weights take while the engine is open, or while one stage after the other is.

    onnxruntime leaves them in their file, but for quantised blocks, which it packs; OpenVINO packs each when it is
    first used, measured to take as much as they are stored in; TensorRT brings its plan to the device.
    """
    stored = sum(file.bytes for file in engine.files if not file.path.endswith(_GRAPHS))
    if engine.backend is Backend.ONNXRUNTIME and engine.precision is not Precision.GGUF:
        return Need(own=0, mapped=stored)
    return Need(own=round(stored * STREAMED_WEIGHTS) if is_streamed else stored)


def run_bytes(component: Component, engine: Engine, sizes: Mapping[str, int], *, is_tile: bool = False) -> int:
    """What a run takes besides the weights' file, with the process itself; the engine's activations are known."""
    assert engine.activations is not None
    tensors = (spec.axes for spec in (*engine.inputs, *engine.outputs))
    # the upscaler's latents, whose larger axes no run names, are small beside its values
    held = sum(tensor_bytes(axes, sizes) for axes in tensors if all(axis in sizes or axis.isdigit() for axis in axes))
    times = factors(component, engine.backend, is_tile=is_tile)
    return PROCESS + held + values_bytes(engine.activations, sizes, times)


def values_bytes(activations: Activations, sizes: Mapping[str, int], times: Factors) -> int:
    """What a run takes for axes of these sizes, besides its inputs."""
    return times.bytes(activations.widened, activations.at(sizes))


def is_known(engine: Engine) -> bool:
    """Whether the build has counted what the engine and its stages take."""
    return engine.activations is not None and all(stage.activations is not None for stage in engine.stages)


def tensor_bytes(axes: tuple[str, ...], sizes: Mapping[str, int]) -> int:
    """Bytes of a tensor in fp32 whose named axes have these sizes."""
    total = _FLOAT
    for axis in axes:
        total *= int(sizes.get(axis, axis))
    return total
