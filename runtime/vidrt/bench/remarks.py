"""What the shares of the machine's best are shares of."""

from collections.abc import Iterator, Mapping, Sequence

from vidrt_engines.manifest import Engine
from vidrt_engines.names import Backend, Precision

from vidrt import cpu
from vidrt.bench.report import Phase
from vidrt.components.base import EngineComponent
from vidrt.devices import Device


def peak_remarks(done: Sequence[Phase], components: Mapping[str, EngineComponent], place: Device) -> Iterator[str]:
    """Why there are no shares, or why some may be more than all."""
    if place.kind != "cpu":
        yield "How near the GPU came to its best is not known: the machine's best is measured on the CPU."
        return
    if missing := [phase.component for phase in done if phase.demand.flops is None]:
        told = f"Operations are not known of {', '.join(missing)}: the bundle is of an older vidrt."
        yield f"{told} Run its build-engines again with the same --out, which adds what is missing."
    if lower := [name for name, part in components.items() if _is_lower(part.engine.engine)]:
        told = f"The best is that of fp32 for {', '.join(lower)} too, which computes in less"
        yield f"{told}: what is above 100% is gained by that, or by cores that numpy does not use."


def _is_lower(engine: Engine) -> bool:
    """Whether an engine computes on the CPU in less than fp32: onnxruntime widens bf16 and fp16."""
    return engine.precision is Precision.INT8 or (
        engine.backend is Backend.OPENVINO and engine.precision is Precision.BF16 and cpu.computes_bf16()
    )
