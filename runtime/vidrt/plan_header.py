"""What TensorRT for RTX itself says of a plan, from the few bytes of its header."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from vidrt_engines.cuda_driver import Gpu, cuda_driver
from vidrt_engines.manifest import Engine

from vidrt.validity import Invalid, Unknown, Valid, Validity

_GIB = 2**30
_SUBOPTIMAL = "TensorRT for RTX calls it suboptimal on this GPU: one that is built for it alone may be faster"


def check_header(trt: Any, engine: Engine, path: Path, gpu: Gpu | None, cure: str) -> Validity:
    """Asks the library whether a plan is valid here, on the first GPU.

    Without a driver the library calls a good plan invalid and gives no reason: that is unknown, not invalid.

    Args:
        trt: the module `tensorrt_rtx`.
        engine: as its bundle describes it.
        path: the plan's file.
        gpu: the GPU that is asked about.
        cure: a clause with the command that builds it again.
    """
    from vidrt.sessions.tensorrt_library import logger

    runtime = trt.Runtime(logger(trt))
    with path.open("rb") as file:
        header = file.read(runtime.engine_header_size)
    verdict, reasons = runtime.get_engine_validity(header)
    if verdict == trt.EngineValidity.INVALID:
        names = [name for name, flag in trt.EngineInvalidityDiagnostics.__members__.items() if int(flag) & int(reasons)]
        return _invalid(names, engine, gpu, cure)
    return Valid(note=_SUBOPTIMAL if verdict == trt.EngineValidity.SUBOPTIMAL else None)


def _invalid(reasons: list[str], engine: Engine, gpu: Gpu | None, cure: str) -> Validity:
    known = _meanings(engine.key, gpu, cure)
    if found := next((known[reason] for reason in reasons if reason in known), None):
        return found
    return Unknown(reason=f"TensorRT for RTX cannot say: {', '.join(reasons) or 'it finds no GPU'}")


def _meanings(key: Mapping[str, str], gpu: Gpu | None, cure: str) -> dict[str, Invalid]:
    """The library's reasons in our words, those first that explain the others."""
    driver = cuda_driver().cuda_version or "none"
    update = "update the NVIDIA driver"
    return {
        "MALFORMED_ENGINE": Invalid(
            field="header", engine="that of a plan for tensorrt-rtx", here="another", cure=cure
        ),
        "VERSION_MISMATCH": Invalid(
            field="TensorRT version", engine=key.get("tensorrt", "unknown"), here="another", cure=cure
        ),
        "UNSUPPORTED_CC": Invalid(
            field="compute capability",
            engine=key.get("compute_capability", "unknown"),
            here=gpu.compute_capability if gpu else "unknown",
            cure=cure,
        ),
        "OLD_CUDA_DRIVER": Invalid(field="CUDA driver", engine="a newer one", here=driver, cure=update),
        "OLD_CUDA_RUNTIME": Invalid(field="CUDA runtime", engine="a newer one", here="an older one", cure=cure),
        "INSUFFICIENT_GPU_MEMORY": Invalid(
            field="GPU memory",
            engine="more than there is",
            here=f"{gpu.memory_bytes / _GIB:.1f} GiB" if gpu else "unknown",
            cure="free memory of the GPU, or build for smaller sizes",
        ),
    }
