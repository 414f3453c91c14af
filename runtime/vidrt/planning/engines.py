"""What one engine takes in memory: its weights, and its values at some sizes."""

from collections.abc import Mapping
from dataclasses import dataclass

from vidrt_engines.components import Signature
from vidrt_engines.manifest import Engine
from vidrt_engines.memory import Activations
from vidrt_engines.names import Backend, Component, Precision
from vidrt_engines.streaming import CHUNK, STATE, stage_sizes

from vidrt.planning.calibration import PROCESS, Factors, factors

_FLOAT = 4
_GRAPHS = (".onnx",)


@dataclass(frozen=True, kw_only=True)
class Need:
    """Bytes at the peak: `own` are the process's or the device's, `mapped` lie in files that the system may drop."""

    own: int
    mapped: int = 0


def weights(engine: Engine) -> Need:
    """What the weights take while the engine is open.

    onnxruntime leaves them in their file, but for quantised blocks, which it packs; OpenVINO packs all of them, in the
    type that it computes in at least; TensorRT brings its plan to the device.
    """
    stored = sum(file.bytes for file in engine.files if not file.path.endswith(_GRAPHS))
    if engine.backend is Backend.ONNXRUNTIME and engine.precision is not Precision.GGUF:
        return Need(own=0, mapped=stored)
    return Need(own=stored)


def run_bytes(component: Component, engine: Engine, sizes: Mapping[str, int]) -> int:
    """What a run takes besides the weights' file, with the process itself; the engine's activations are known."""
    assert engine.activations is not None
    return PROCESS + _at_work(engine.activations, sizes, factors(component))


def streamed_bytes(component: Component, engine: Engine, frames: int, rows: int, columns: int) -> int:
    """What a component takes by streaming: one stage at work, and what all carry and wait for.

    Args:
        component: what it is.
        engine: with stages whose activations are known.
        frames: of the latents.
        rows: of the latents.
        columns: of the latents.
    """
    at_work: list[int] = []
    carried: list[int] = []
    for stage in engine.stages:
        assert stage.activations is not None
        count = stage.first_frames if at_work else min(stage.first_frames, frames)
        signature = Signature(inputs=stage.inputs, outputs=stage.outputs)
        sizes = stage_sizes(signature, batch=1, frames=count, rows=rows, columns=columns)
        given = {spec.name: _bytes(spec.axes, sizes) for spec in stage.inputs}
        state = sum(size for name, size in given.items() if name.startswith(STATE))
        at_work.append(state + _at_work(stage.activations, sizes, factors(component, is_stage=True)))
        carried.append(state + given[CHUNK])
    # while the first stage sees a short video, which it does once, the others carry nothing yet
    beside = [carried[0] if frames <= engine.stages[0].first_frames else sum(carried), *[sum(carried)] * len(carried)]
    return PROCESS + max(work + kept for work, kept in zip(at_work, beside, strict=False))


def _at_work(activations: Activations, sizes: Mapping[str, int], times: Factors) -> int:
    return times.bytes(activations.widened, activations.at(sizes))


def is_known(engine: Engine) -> bool:
    """Whether the build has counted what the engine and its stages take."""
    return engine.activations is not None and all(stage.activations is not None for stage in engine.stages)


def _bytes(axes: tuple[str, ...], sizes: Mapping[str, int]) -> int:
    total = _FLOAT
    for axis in axes:
        total *= int(sizes.get(axis, axis))
    return total
