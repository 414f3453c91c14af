"""What a plan says of quantised text encoders: their sizes follow from the parameters of the bundle's own."""

import dataclasses

import pytest
from vidrt.planning.quantised import alternatives, in_bf16, lines, parameters
from vidrt_engines.manifest import read_bundle
from vidrt_engines.names import Precision

PARAMETERS = 4_760_000_000  # of T5-XXL's encoder


@pytest.fixture
def encoder(bundles):
    """A function of a precision, of bytes of weights and of what its key holds: a text encoder like that."""
    (engine, *_) = read_bundle(bundles("0.9.5")).engines["text_encoder"]
    graph, weights = sorted(engine.files, key=lambda file: not file.path.endswith(".onnx"))

    def make(precision, size, **key):
        files = (graph, dataclasses.replace(weights, bytes=size))
        return dataclasses.replace(engine, precision=precision, files=files, key={**engine.key, **key})

    return make


def test_sizes_are_those_that_were_measured(encoder):
    """T5-XXL in Q8_0: 5.06 GB on disk and 5.51 GB at the peak, whichever precision the bundle has it in."""
    for precision, size in ((Precision.BF16, 2), (Precision.FP32, 4)):
        engine = encoder(precision, size * PARAMETERS)
        assert parameters(engine) == PARAMETERS
        own, q8, q5 = alternatives(engine, 456_000_000)
        assert (own.own, own.file) == (456_000_000, size * PARAMETERS)
        assert abs(q8.file / 5.06e9 - 1) < 0.01
        assert abs(q8.own / 5.51e9 - 1) < 0.01
        assert abs(q5.file / 3.39e9 - 1) < 0.02
        assert abs(q5.own / 5.63e9 - 1) < 0.02


def test_a_quantised_one_is_compared_with_bf16(encoder):
    """Of a GGUF file the plan says what is held, and the file that bf16 would have; of other types nothing."""
    engine = encoder(Precision.GGUF, 5_060_000_000, gguf="Q8_0")
    assert abs(in_bf16(engine) / 2 / PARAMETERS - 1) < 0.01
    (told,) = lines(engine, 0)
    assert told.startswith("The text encoder is quantised: 5.1 GB are held in memory.")
    assert told.endswith("In bf16 its file would have about 9.5 GB, which stays mapped.")
    assert list(lines(encoder(Precision.GGUF, 10**9, gguf="Q4_K"), 0)) == []
    assert list(lines(encoder(Precision.INT8, 10**9), 0)) == []
