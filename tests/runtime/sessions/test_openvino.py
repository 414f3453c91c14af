"""OpenVINO plays the graphs of onnxruntime, whatever they are made of."""

import math
import sys
from collections import Counter

import numpy as np
import pytest
from vidrt.components.tiles import Tiles
from vidrt.devices import Device
from vidrt.errors import EngineError, MissingExtraError, RequestError
from vidrt.pipelines.decode_options import DecodeOptions
from vidrt.pipelines.load import load_pipeline
from vidrt.sessions.component_engine import ComponentEngine
from vidrt.sessions.onnxruntime import OnnxruntimeSession
from vidrt.sessions.openvino import OpenvinoSession
from vidrt_engines.manifest import bundle_path, read_bundle
from vidrt_engines.names import Component
from vidrt_engines.places import DEFAULT_BUNDLE, find_bundle

SIZES = {"batch": 1, "text_tokens": 9, "tokens": 24, "timestep_tokens": 1, "latent_frames": 2, "frames": 5}
EMBEDDED = [
    (demo, component)
    for demo in ("demo:ltx-video", "demo:svd")
    for component in read_bundle(find_bundle(demo)).engines
]  # fmt: skip


def graph(demo, component):
    folder = find_bundle(demo)
    engine = read_bundle(folder).engines[component][0]
    return bundle_path(folder, engine.files[0].path), engine


def drawn(spec, component):
    """Inputs of a size that the component takes."""
    rng = np.random.default_rng(4)
    edge = 128 if component == Component.VAE_ENCODER else 8
    shape = [int(axis) if axis.isdigit() else SIZES.get(axis, edge) for axis in spec.axes]
    if spec.dtype == "int64":
        return rng.integers(1, 60, shape)
    if spec.name == "perturbation":
        return np.zeros(shape, np.float32)
    return rng.standard_normal(shape, np.float32) * (100 if spec.name == "timestep" else 1)


def relative_l2(got, wanted):
    return np.linalg.norm(got - wanted) / np.linalg.norm(wanted)


@pytest.fixture
def session():
    path, engine = graph(DEFAULT_BUNDLE, Component.TEXT_ENCODER)
    with OpenvinoSession(path, engine, "text encoder") as opened:
        yield opened


@pytest.mark.parametrize(("demo", "component"), EMBEDDED)
def test_it_gives_what_onnxruntime_gives(demo, component):
    """Every component of both families, in fp32, from weights in fp16."""
    path, engine = graph(demo, component)
    arrays = {spec.name: drawn(spec, component) for spec in engine.inputs}
    with OnnxruntimeSession(path, engine, Device(kind="cpu"), "it") as one, OpenvinoSession(path, engine, "it") as two:
        wanted, got = one.run(arrays), two.run(arrays)
        assert two.provider == "OpenVINO CPU f32"
    assert got.keys() == wanted.keys()
    assert all(relative_l2(got[name], wanted[name]) <= 1e-5 and wanted[name].std() > 0 for name in wanted)


def played(session):
    """The nodes that OpenVINO made of the graph."""
    return session._request.get_compiled_model().get_runtime_model().get_ops()


def kind(node):
    return node.get_rt_info()["layerType"].astype(str) if "layerType" in node.get_rt_info() else None


def test_queries_and_keys_are_rotated_by_its_own_kernel():
    """One node each for queries and for keys of every block."""
    path, engine = graph(DEFAULT_BUNDLE, Component.TRANSFORMER)
    blocks = next(int(spec.axes[1]) for spec in engine.inputs if spec.name == "perturbation")
    with OpenvinoSession(path, engine, "transformer") as opened:
        opened.run({spec.name: drawn(spec, Component.TRANSFORMER) for spec in engine.inputs})
        kinds = Counter(kind(node) for node in played(opened))
    assert kinds["RoPE"] == 2 * blocks


def test_weights_stay_as_they_are_stored(session):
    """None are widened but the few that are no factor of a product."""
    session.run({"input_ids": np.array([[3, 4, 1]])})
    sizes = Counter()
    for node in played(session):
        if kind(node) == "Const":
            sizes[node.get_output_element_type(0).get_type_name()] += math.prod(node.get_output_shape(0))
    assert sizes["f16"] > 10 * sizes["f32"]


def test_what_it_gave_stays(session):
    """A second run does not write over the first one's result."""
    first = session.run({"input_ids": np.array([[3, 4, 1]])})["embeddings"]
    kept = first.copy()
    second = session.run({"input_ids": np.array([[5, 6, 1]])})["embeddings"]
    assert np.array_equal(first, kept)
    assert not np.array_equal(first, second)


def test_inputs_are_checked(session, sentence):
    """As by every session, before they reach the library."""
    with pytest.raises(RequestError) as error:
        session.run({"input_ids": np.array([[3.0]], np.float32)})
    assert "text encoder got inputs that do not fit it" in sentence(error)


def test_a_graph_that_is_none_is_one_sentence(tmp_path, sentence):
    """A damaged file is told as such."""
    path = tmp_path / "model.onnx"
    path.write_bytes(b"no graph")
    with pytest.raises(EngineError) as error:
        OpenvinoSession(path, graph(DEFAULT_BUNDLE, Component.TEXT_ENCODER)[1], "text encoder")
    assert sentence(error).startswith("OpenVINO cannot open the text encoder: ")


def test_without_it_the_line_that_installs_it_is_told(monkeypatch, sentence):
    """The extra is named when it is asked for and not there."""
    monkeypatch.setitem(sys.modules, "openvino", None)
    with pytest.raises(MissingExtraError) as error:
        OpenvinoSession(*graph(DEFAULT_BUNDLE, Component.TEXT_ENCODER), "text encoder")
    assert sentence(error) == "OpenVINO is not installed; run: pip install 'vidrt[openvino]'."


@pytest.mark.parametrize(
    ("demo", "options"),
    [
        ("demo:ltx-video", {"height": 64, "width": 64, "num_frames": 9}),
        pytest.param("demo:svd", {"height": 64, "width": 64, "num_frames": 3}, marks=pytest.mark.slow),
    ],
)
def test_frames_are_onnxruntimes(demo, options, photo):
    """Whole runs of both families: every value of every frame is within 1."""
    options |= {"num_inference_steps": 3, "seed": 7} | ({"image": photo} if demo == "demo:svd" else {})
    frames = {}
    for backend in ("onnxruntime", "openvino"):
        with load_pipeline(demo, device="cpu", backend=backend) as pipeline:
            assert pipeline.device == f"cpu ({backend})"
            frames[backend] = pipeline(**options).frames.astype(int)
    assert np.abs(frames["openvino"] - frames["onnxruntime"]).max() <= 1
    assert frames["openvino"].std() > 1


def test_an_engine_is_opened_by_its_backend(demo_copy):
    """The session of a component is OpenVINO's where the choice fell on it."""
    with load_pipeline(demo_copy, device="cpu", backend="openvino") as pipeline:
        engine = pipeline.components["text_encoder"].engine
        assert isinstance(engine, ComponentEngine)
        with engine.held():
            assert engine.provider == "OpenVINO CPU f32"


@pytest.mark.parametrize("decoding", [None, DecodeOptions(tiles=Tiles(height=64, width=64))])
def test_short_videos_and_their_tiles_open_it_once(monkeypatch, decoding):
    """Decoded at once, all of them share one engine, and no stage is opened for them."""
    opened, begin = [], OpenvinoSession.__init__

    def noted(self, path, *others):
        opened.append(path)
        begin(self, path, *others)

    with load_pipeline(DEFAULT_BUNDLE, device="cpu", backend="openvino", decoding=decoding) as pipeline:
        step = pipeline.denoised(num_inference_steps=1, num_videos=2, seed=1)
        monkeypatch.setattr(OpenvinoSession, "__init__", noted)
        pipeline.decode(step)
    assert [path.name for path in opened] == ["model.onnx"]
