"""Engines: checked against the manifest, opened for their phase, closed after it."""

import dataclasses
import sys

import numpy as np
import pytest
from vidrt.devices import Device
from vidrt.errors import DeviceError, EngineError, MissingExtraError, RequestError
from vidrt.pipelines.load import load_pipeline
from vidrt.sessions import onnxruntime as backend
from vidrt.sessions.component_engine import ComponentEngine, file_to_open
from vidrt_engines.manifest import BundleFile, bundle_path, read_bundle
from vidrt_engines.names import Backend, Component
from vidrt_engines.places import DEFAULT_BUNDLE, find_bundle


@pytest.fixture
def engine():
    """The embedded transformer's engine, closed."""
    folder = find_bundle(DEFAULT_BUNDLE)
    transformer = read_bundle(folder).engines[Component.TRANSFORMER][0]
    return ComponentEngine(Component.TRANSFORMER, transformer, folder, Device(kind="cpu"))


@pytest.fixture
def arrays():
    draw = np.random.default_rng(0).standard_normal
    shapes = {"latents": (1, 4, 48), "context": (1, 5, 128), "timestep": (1, 1)}
    shapes |= {"rope_cos": (4, 80), "rope_sin": (4, 80)}
    shapes["perturbation"] = (1, 6, 3)
    return {name: draw(shape, np.float32) for name, shape in shapes.items()}


def test_named_arrays_in_and_out(engine, arrays):
    """An engine gives its outputs by the names of the manifest, in the shapes that follow from its inputs."""
    (name, velocity), *others = engine.run(arrays).items()
    assert (name, velocity.shape, velocity.dtype, others) == ("velocity", (1, 4, 48), np.float32, [])
    assert np.isfinite(velocity).all()
    assert velocity.std() > 0


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"latents": np.zeros((1, 4, 48), np.float16)}, "'latents' should be float32, not float16"),
        ({"latents": np.zeros((4, 48), np.float32)}, r"'latents' should have the axes \(batch, tokens, 48\)"),
        ({"latents": np.zeros((1, 4, 49), np.float32)}, "axis '48' of 'latents' should be 48, not 49"),
        ({"rope_sin": np.zeros((5, 80), np.float32)}, "axis 'tokens' of 'rope_sin' should be 4, not 5"),
        ({"mask": np.zeros((1, 5), np.float32)}, "unknown: mask; known: context, latents"),
        ({"context": None}, "missing: context"),
    ],
)
def test_arrays_that_do_not_fit_never_reach_the_engine(engine, arrays, changes, told, monkeypatch, sentence):
    """A wrong name, type, rank or size is told by the manifest's words, before the run."""
    given = {name: value for name, value in {**arrays, **changes}.items() if value is not None}
    session = engine.load()
    monkeypatch.setattr(session, "_session", None)  # a run would fail otherwise
    with pytest.raises(RequestError, match=told) as error:
        session.run(given)
    assert sentence(error).startswith("The transformer got inputs that do not fit it: ")


def test_a_failing_run_is_one_sentence(engine, arrays, monkeypatch, sentence):
    """What the backend raises in the middle becomes an EngineError that names the component."""

    class Broken:
        def run(self, *_):
            raise RuntimeError("[ONNXRuntimeError] : 6 : out of memory\n  at node 5\n")

    session = engine.load()
    monkeypatch.setattr(session, "_session", Broken())
    with pytest.raises(EngineError) as error:
        session.run(arrays)
    assert sentence(error) == "The transformer failed: [ONNXRuntimeError] : 6 : out of memory."


@pytest.mark.parametrize("content", [b"garbage" * 10_000, b"\x00" * 10_000, b"\x08\x09"], ids=["text", "nought", "cut"])
def test_a_damaged_graph_is_one_sentence(demo_copy, content, sentence):
    """A graph overwritten by bytes of the same size, which no size check sees, cannot be opened and says so."""
    manifest = read_bundle(demo_copy)
    path = bundle_path(demo_copy, manifest.engines[Component.TEXT_ENCODER][0].files[0].path)
    size = path.stat().st_size
    path.write_bytes((content * size)[:size])
    with load_pipeline(demo_copy, device="cpu") as pipeline, pytest.raises(EngineError) as error:
        pipeline.components["text_encoder"](input_ids=np.ones((1, 3), np.int64))
    assert sentence(error).startswith("onnxruntime cannot open the text encoder: ")


def test_missing_weights_are_one_sentence(demo_copy, sentence):
    """A file of weights that disappears after the bundle was checked is an EngineError too."""
    with load_pipeline(demo_copy, device="cpu") as pipeline:
        bundle_path(demo_copy, pipeline.bundle.engines[Component.TEXT_ENCODER][0].files[1].path).unlink()
        with pytest.raises(EngineError, match="cannot open the text encoder") as error:
            pipeline.components["text_encoder"](input_ids=np.ones((1, 3), np.int64))
    sentence(error)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_values_that_are_no_numbers_end_the_run(engine, arrays, value, sentence):
    """An engine that gives NaN or infinity stops the run, and no black frames come of it."""
    with pytest.raises(EngineError) as error:
        engine.run({**arrays, "latents": np.full_like(arrays["latents"], value)})
    assert sentence(error).startswith("The transformer gave infinite values or no numbers as 'velocity';")


@pytest.mark.parametrize(
    ("backend", "device", "opened"),
    [
        ("onnxruntime", "cpu", "model.onnx"),
        ("onnxruntime", "cuda", "model.half.onnx"),
        ("tensorrt", "cuda", "model.onnx"),
    ],
)
def test_cuda_has_a_graph_of_its_own(engine, backend, device, opened):
    """onnxruntime opens the graph for CUDA there and only there, and the first file where there is no such graph."""
    names = ("model.onnx", "model.weights", "model.half.onnx")
    files = tuple(BundleFile(path=f"transformer/{name}", bytes=1, sha256="0") for name in names)
    entry = dataclasses.replace(engine.engine, backend=Backend(backend), files=files)
    assert file_to_open(entry, Component.TRANSFORMER, Device(kind=device)).path == f"transformer/{opened}"
    plain = dataclasses.replace(entry, files=files[:2])
    assert file_to_open(plain, Component.TRANSFORMER, Device(kind=device)) is files[0]


def test_an_engine_is_open_while_it_is_held(engine, arrays, opened):
    """A call opens an engine for itself; a phase opens it once, also where phases lie inside one another."""
    engine.run(arrays)
    assert opened == [("open", "transformer"), ("close", "transformer")]
    assert engine.provider is None
    with engine.held(), engine.held():
        engine.run(arrays)
        engine.run(arrays)
        assert engine.provider == "CPUExecutionProvider"
    assert opened == [("open", "transformer"), ("close", "transformer")] * 2
    assert engine.provider is None


def test_an_engine_is_closed_when_its_phase_fails(engine, arrays, opened):
    """An error in the middle of a phase releases the engine."""
    with pytest.raises(RequestError), engine.held():
        engine.run({**arrays, "mask": arrays["latents"]})
    assert opened == [("open", "transformer"), ("close", "transformer")]


def test_closing_twice_is_nothing(engine, opened):
    """Closing releases the engine whoever holds it, and once."""
    with engine.held():
        engine.close()
        engine.close()
    assert opened == [("open", "transformer"), ("close", "transformer")]


def test_no_engine_is_open_until_it_is_needed(demo, opened, small):
    """Loading a pipeline and checking a request open nothing."""
    demo.check(**small)
    assert opened == []
    assert all(component.engine.provider is None for component in demo.components.values())


def test_each_phase_has_its_engine_alone(demo, opened, small):
    """The text encoder is gone before the transformer is opened, and that before the decoder's stages."""
    demo(**small)
    stages = ["VAE decoder"] * len(demo.components["vae_decoder"].engine.stages)
    phases = (["text encoder"], ["transformer"], stages)
    assert opened == [(what, name) for names in phases for what in ("open", "close") for name in names]
    assert len(stages) > 1


def test_kept_engines_stay_open_until_the_pipeline_is_closed(opened, small):
    """With keep_loaded a second run opens nothing, and closing releases all."""
    with load_pipeline(DEFAULT_BUNDLE, device="cpu", keep_loaded=True) as pipeline:
        first = pipeline(**small).frames
        assert np.array_equal(pipeline(**small).frames, first)
        names = ["text encoder", "transformer"]
        names += ["VAE decoder"] * len(pipeline.components["vae_decoder"].engine.stages)
        assert opened == [("open", name) for name in names]
    assert opened[len(names) :] == [("close", name) for name in names]


def test_without_onnxruntime_the_line_that_installs_it_is_told(engine, monkeypatch, sentence):
    """A machine without the library is told which extra brings it."""
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(MissingExtraError) as error:
        engine.load()
    assert sentence(error) == "onnxruntime is not installed; run: pip install 'vidrt[cpu]'."


@pytest.mark.parametrize("installed", [True, False])
def test_cuda_is_never_silently_the_cpu(monkeypatch, installed, sentence):
    """Without CUDA in onnxruntime, or where it cannot be used, a CUDA device is an error and not the CPU."""
    import onnxruntime

    providers = ["CUDAExecutionProvider"] if installed else []
    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: [*providers, "CPUExecutionProvider"])
    folder, device = find_bundle(DEFAULT_BUNDLE), Device(kind="cuda")
    transformer = read_bundle(folder).engines[Component.TRANSFORMER][0]
    monkeypatch.setattr(backend, "_providers", lambda _: ["CPUExecutionProvider"])  # as where CUDA does not start
    with pytest.raises(DeviceError if installed else MissingExtraError) as error:
        ComponentEngine(Component.TRANSFORMER, transformer, folder, device).load()
    told = "onnxruntime could not use cuda:0 for the transformer" if installed else "This onnxruntime has no CUDA"
    assert sentence(error).startswith(told)


def test_a_graph_that_cuda_cannot_open_gives_way_to_fp32(engine, arrays, monkeypatch):
    """Where onnxruntime lacks a kernel in half precision the graph in fp32 is opened, and the run says so."""
    told, wanted = [], engine.run(arrays)["velocity"]
    damaged = engine._folder / "tokenizer" / "tokenizer.json"  # no graph at all
    monkeypatch.setattr(engine, "_path", damaged)
    monkeypatch.setattr(engine._resources, "note", told.append)
    assert np.array_equal(engine.run(arrays)["velocity"], wanted)
    (line,) = told
    assert line.startswith("onnxruntime cannot open the transformer: ")
    assert line.endswith(": it is computed in fp32.")
