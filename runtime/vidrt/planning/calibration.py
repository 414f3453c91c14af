"""What backends take of what was counted, as measured with random weights of the true size."""

from dataclasses import dataclass

from vidrt_engines.names import Backend, Component

# numpy and onnxruntime themselves, and a graph that is open: anonymous memory before the first run.
PROCESS = 45_000_000


@dataclass(frozen=True, kw_only=True)
class Factors:
    """How many times what was counted a backend takes.

    Attributes:
        weights: of the largest widened weight.
        values: of a run's values.
        at_once: whether both are held together: the largest weights of a VAE meet small values, in the middle of it.
    """

    weights: float
    values: float
    at_once: bool = True

    def bytes(self, widened: int, values: int) -> int:
        """What is taken at the peak."""
        both = self.weights * widened, self.values * values
        return round(sum(both) if self.at_once else max(both))


# benchmarks/memory_model.py on the CPU: the 2B transformer, and LTX-Video 0.9.5's decoder as a whole and by stages. A
# widened matrix is transposed beside itself. Where there is an arena, which stages do without, it keeps what lies
# between its blocks. Videos beyond 256x384 with 25 frames were not measured at once. Of what was counted of a stage's
# values, which torch holds, onnxruntime holds a fifth, beside one widened weight.
_LINEAR = Factors(weights=2.37, values=1.7)
_CONVOLUTIONS = Factors(weights=1.48, values=0.5, at_once=False)
_STAGES = Factors(weights=1.1, values=0.2)
# OpenVINO's in bf16, where nothing is widened: of 7 of the transformer's layers at 384 to 4992 tokens, which for T5 is
# 0.4 GB too much, whatever its depth: its embedding stays in the file.
_LINEAR_ON_OPENVINO = Factors(weights=0.7, values=1.0)
# Of the same decoder at 256x384 with 25 to 97 frames and at 512x768 with 25: OpenVINO uses memory again less well where
# sizes are not known when it compiles, as those of tiles are not.
_ON_OPENVINO = Factors(weights=0, values=0.95)
_TILES_ON_OPENVINO = Factors(weights=0, values=1.3)
_STAGES_ON_OPENVINO = Factors(weights=0, values=1.35)
# The first stage is done before the others take the most, and with it go three fifths of the decoder's weights.
STREAMED_WEIGHTS = 0.4
_ARE_LINEAR = {Component.TEXT_ENCODER, Component.TRANSFORMER, Component.IMAGE_ENCODER}


def factors(component: Component, backend: Backend, *, is_stage: bool = False, is_tile: bool = False) -> Factors:
    """Those of a component, or of another of its kind where it was not measured itself."""
    on_openvino = backend is Backend.OPENVINO
    if is_stage:
        return _STAGES_ON_OPENVINO if on_openvino else _STAGES
    if component in _ARE_LINEAR:
        return _LINEAR_ON_OPENVINO if on_openvino else _LINEAR
    if on_openvino:
        return _TILES_ON_OPENVINO if is_tile else _ON_OPENVINO
    return _CONVOLUTIONS
