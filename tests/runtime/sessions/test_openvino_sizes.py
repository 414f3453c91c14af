"""For which sizes OpenVINO compiles: those that stay, and any where they come and go."""

from types import SimpleNamespace

import numpy as np
import pytest
from vidrt.devices import Device
from vidrt.sessions.onnxruntime import OnnxruntimeSession
from vidrt.sessions.openvino import OpenvinoSession
from vidrt.sessions.openvino_sizes import ANY, KnownSizes
from vidrt_engines.manifest import bundle_path, read_bundle
from vidrt_engines.names import Component
from vidrt_engines.places import DEFAULT_BUNDLE, find_bundle
from vidrt_engines.streaming import LAST
from vidrt_engines.tensors import TensorSpec

INPUTS = (
    TensorSpec(name="latents", dtype="float32", axes=("batch", "tokens", "8")),
    TensorSpec(name="context", dtype="float32", axes=("batch", "text_tokens", "16")),
)


def arrays(tokens, text=9):
    return {"latents": SimpleNamespace(shape=(1, tokens, 8)), "context": SimpleNamespace(shape=(1, text, 16))}


def known(tokens):
    return {"latents": (1, tokens, 8), "context": (1, -1, 16)}


def compiled_for(sizes, given):
    """What is compiled before it takes these arrays."""
    wanted = sizes.wanted(given)
    if wanted is not None:
        sizes.compiled(wanted)
    return wanted


def test_a_request_is_compiled_once():
    """Prompts of other lengths need nothing else."""
    sizes = KnownSizes(INPUTS)
    assert compiled_for(sizes, arrays(24, text=9)) == known(24)
    assert [compiled_for(sizes, arrays(24, text)) for text in (12, 9, 12)] == [None] * 3


def test_a_second_pass_is_compiled_for_its_own_size():
    """After steps enough at the first one's; what comes then is compiled for any size, once and for all."""
    sizes = KnownSizes(INPUTS)
    assert [compiled_for(sizes, arrays(24)) for _ in range(4)] == [known(24), None, None, None]
    assert [compiled_for(sizes, arrays(96)) for _ in range(4)] == [known(96), None, None, None]
    assert [compiled_for(sizes, arrays(tokens)) for tokens in (24, 24, 96, 48)] == [ANY, None, None, None]


def test_what_changes_at_once_is_compiled_for_any_size():
    """As tiles of a frame do."""
    sizes = KnownSizes(INPUTS)
    assert [compiled_for(sizes, arrays(tokens)) for tokens in (24, 24, 12, 24)] == [known(24), None, ANY, None]


def test_a_stage_is_compiled_for_any_size():
    """The parts of a video that come to it are of several."""
    sizes = KnownSizes((*INPUTS, TensorSpec(name=LAST, dtype="float32", axes=("1",))))
    given = {**arrays(24), LAST: SimpleNamespace(shape=(1,))}
    assert [compiled_for(sizes, given), compiled_for(sizes, given)] == [ANY, None]


def test_what_could_not_be_compiled_is_tried_again():
    """A size that there was no memory for is not taken for one that is compiled, nor is the one before it."""
    sizes = KnownSizes(INPUTS)
    assert compiled_for(sizes, arrays(24)) == known(24)
    assert sizes.wanted(arrays(4096)) == ANY
    sizes.released()
    assert [sizes.wanted(arrays(4096)), sizes.wanted(arrays(24))] == [ANY, ANY]


@pytest.fixture(scope="module")
def transformer():
    folder = find_bundle(DEFAULT_BUNDLE)
    engine = read_bundle(folder).engines[Component.TRANSFORMER][0]
    return bundle_path(folder, engine.files[0].path), engine


def drawn(engine, tokens, text):
    rng, sizes = (
        np.random.default_rng(tokens),
        {"batch": 1, "timestep_tokens": 1, "tokens": tokens, "text_tokens": text},
    )
    shapes = {spec.name: [int(axis) if axis.isdigit() else sizes[axis] for axis in spec.axes] for spec in engine.inputs}
    made = {name: rng.standard_normal(shape, np.float32) for name, shape in shapes.items()}
    return {**made, "perturbation": np.zeros(shapes["perturbation"], np.float32)}


def test_each_size_gives_what_onnxruntime_gives(transformer):
    """Compiled for the first, for the second, and for any."""
    path, engine = transformer
    asked = [(24, 9), (24, 5), (24, 9), (40, 9), (40, 9), (40, 5), (24, 9), (8, 5)]
    with (
        OpenvinoSession(path, engine, "it") as session,
        OnnxruntimeSession(path, engine, Device(kind="cpu"), "it") as oracle,
    ):
        kinds = []
        for tokens, text in asked:
            given = drawn(engine, tokens, text)
            got, wanted = (one.run(given)["velocity"] for one in (session, oracle))
            assert np.linalg.norm(got - wanted) <= 1e-5 * np.linalg.norm(wanted)
            kinds.append(str(session._request.get_compiled_model().input("latents").partial_shape))
    channels = engine.inputs[0].axes[-1]
    assert kinds == [f"[1,24,{channels}]"] * 3 + [f"[1,40,{channels}]"] * 3 + [f"[?,?,{channels}]"] * 2
