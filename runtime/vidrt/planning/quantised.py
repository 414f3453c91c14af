"""What a text encoder from a GGUF file takes beside the one that a bundle has, as estimated from its parameters."""

from collections.abc import Iterator
from dataclasses import dataclass

from vidrt_engines.manifest import Engine
from vidrt_engines.names import Precision

from vidrt.planning.calibration import PROCESS
from vidrt.planning.report import spoken

_GRAPHS = (".onnx",)
_BYTES = {Precision.FP32: 4.0, Precision.FP16: 2.0, Precision.BF16: 2.0}  # of a parameter
_MORE = 1.08  # measured at the peak of two prompts, of the packed weights


@dataclass(frozen=True, kw_only=True)
class Quantisation:
    """A GGUF type: bits of a parameter in its file, and packed for onnxruntime.

    Of Q5_K_M some matrices are Q6_K: its file is a little larger than that of the plain type.
    """

    name: str
    file_bits: float
    packed_bits: float


# T5-XXL has 4.76 billion parameters: files of 5.06 and, of Q5_K alone, 3.27 GB, packed 5.06 and 5.13 GB
QUANTISATIONS = (
    Quantisation(name="Q8_0", file_bits=8.5, packed_bits=8.5),
    Quantisation(name="Q5_K_M", file_bits=5.7, packed_bits=8.7),
)


@dataclass(frozen=True, kw_only=True)
class TextEncoder:
    """A text encoder by its name: memory of its own and bytes on disk."""

    name: str
    own: int
    file: int


def parameters(engine: Engine) -> int | None:
    """How many parameters an engine has, from its weights' file, or None where they are quantised."""
    size = _BYTES.get(engine.precision)
    return None if size is None else round(_stored(engine) / size)


def alternatives(engine: Engine, own: int) -> Iterator[TextEncoder]:
    """The bundle's own text encoder, and what it would be from GGUF files on onnxruntime.

    Args:
        engine: of the text encoder.
        own: what its phase takes of memory.
    """
    count = parameters(engine)
    if count is None:
        return
    yield TextEncoder(name=f"{engine.precision} ({engine.backend})", own=own, file=_stored(engine))
    for kind in QUANTISATIONS:
        packed = count * kind.packed_bits / 8
        yield TextEncoder(name=kind.name, own=PROCESS + round(_MORE * packed), file=round(count * kind.file_bits / 8))


def in_bf16(engine: Engine) -> int | None:
    """Bytes of the file that a text encoder of a GGUF file would have in bf16, or None where that is not known."""
    types = engine.key.get("gguf", "")
    kind = next((kind for kind in QUANTISATIONS if kind.name.removesuffix("_M") in types), None)
    return None if kind is None else round(_stored(engine) * 16 / kind.packed_bits)


def lines(engine: Engine, own: int) -> Iterator[str]:
    """What a plan says of quantised text encoders.

    Args:
        engine: of the text encoder.
        own: what its phase takes of memory.
    """
    if (file := in_bf16(engine)) is not None:
        yield (
            f"The text encoder is quantised: {spoken(_stored(engine))} are held in memory. In bf16 its file would have "
            f"about {spoken(file)}, which stays mapped."
        )
    for one in alternatives(engine, own):
        yield f"Text encoder in {one.name}: {spoken(one.own)} of memory, a file of {spoken(one.file)}."


def _stored(engine: Engine) -> int:
    return sum(file.bytes for file in engine.files if not file.path.endswith(_GRAPHS))
