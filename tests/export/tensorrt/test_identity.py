"""What makes a compiled engine another one, and what does not."""

import json
import shutil

import pytest
import tiny_bundles
from edited import edit_weights
from vidrt_engines.manifest import MANIFEST, read_bundle
from vidrt_engines.names import Component, Family
from vidrt_engines.precisions import Islands
from vidrt_export.backends import tensorrt
from vidrt_export.tensorrt import flavour

T5 = {"components": ("text_encoder",), "backends": (tiny_bundles.RTX,), "precision": "bf16"}
FIELDS = (
    "backend", "precision", "exporter", "architecture", "gpu", "compute_capability", "tensorrt", "cuda", "platform",
    "profiles", "weights_in", "stream_weights", "islands", "weights",
)  # fmt: skip

pytestmark = pytest.mark.usefixtures("cached_traces")


@pytest.fixture
def compiling(monkeypatch):
    """Let a compilation be one that writes a plan of a few bytes, and list the jobs: these tests are of when."""
    from vidrt_export.tensorrt.job import Audit, Report

    jobs = []

    def compiled(job, folder, what, advance):  # noqa: ARG001 - as the real one
        jobs.append(job)
        (folder / tensorrt.PLAN).write_bytes(repr(job).encode())
        return Report(version="", audit=Audit(attentions=0, casts=0, heavy=0), peak_bytes=0, seconds=0.0)

    monkeypatch.setattr(tensorrt, "compile_plan", compiled)
    return jobs


@pytest.fixture
def checkpoint(fused_checkpoint, tmp_path):
    return shutil.copytree(fused_checkpoint, tmp_path / "checkpoint")


@pytest.fixture
def bundle(rtx_bundles, tmp_path):
    """A copy of the bundle that was compiled in bf16."""
    return shutil.copytree(rtx_bundles("bf16")[0], tmp_path / "bundle")


def build(checkpoint, bundle, **changes):
    return tiny_bundles.build(checkpoint, bundle, **{**T5, "options": tiny_bundles.unchecked(), **changes})


@pytest.mark.usefixtures("no_tracing")
@pytest.mark.slow
def test_a_second_build_compiles_nothing(checkpoint, bundle, compiling):
    """Where nothing changed every engine is up to date, and no file is written."""
    before = {path: path.stat().st_mtime_ns for path in bundle.rglob("model.plan")}
    build(checkpoint, bundle, components=())
    assert compiling == []
    assert {path: path.stat().st_mtime_ns for path in bundle.rglob("model.plan")} == before
    assert len(before) == 4


@pytest.mark.usefixtures("no_tracing")
def test_what_is_checked_does_not_count(checkpoint, bundle, compiling):
    """Other limits of the check, or of the compiler's own memory, give the same engine."""
    for options in (None, tiny_bundles.unchecked(memory_limit=1 << 30)):
        build(checkpoint, bundle, options=options)
    assert compiling == []


def test_the_key_has_these_fields(bundle):
    """All that makes an engine valid or not is named in the manifest, and nothing of it is empty."""
    for component in tiny_bundles.COMPONENTS:
        key = tiny_bundles.engine_of(bundle, component).key
        assert set(key) == {*FIELDS, "graph"}
        assert all(key.values())


@pytest.mark.parametrize("field", FIELDS)
def test_every_field_of_the_key_counts(checkpoint, bundle, compiling, field):
    """An engine of which any field differs is compiled anew, in the old one's place."""
    manifest = json.loads((bundle / MANIFEST).read_text())
    manifest["engines"]["text_encoder"][0]["key"][field] = "other"
    (bundle / MANIFEST).write_text(json.dumps(manifest))
    build(checkpoint, bundle)
    assert len(compiling) == 1
    assert tiny_bundles.engine_of(bundle, "text_encoder").key[field] != "other"
    assert len(list(bundle.rglob("text_encoder/*/model.plan"))) == 1


CHANGES = {
    "stream": {"options": tiny_bundles.unchecked(stream_weights=True)},
    "strip": {"options": tiny_bundles.unchecked(strip_weights=True)},
    "precision": {"precision": "fp16"},
}


@pytest.mark.parametrize("change", CHANGES)
def test_other_options_compile(checkpoint, bundle, compiling, monkeypatch, change):
    """Another precision, stripped or streamed weights are another engine, and the job says so."""
    if change == "strip":
        monkeypatch.setattr(tensorrt, "check", lambda _: None)  # there is no driver here
    build(checkpoint, bundle, **CHANGES[change])
    (job,) = compiling
    assert (job.strip, job.stream_weights) == (change == "strip", change == "stream")
    assert job.expected.precision == ("fp16" if change == "precision" else "bf16")


@pytest.mark.parametrize("component", ["text_encoder", "transformer"])
def test_other_profiles_compile(checkpoint, bundle, compiling, component):
    """Another range of sizes is another engine, where the component sees those sizes."""
    built = build(checkpoint, bundle, components=(component,), frames=("9:9:25", "1"))
    assert len(compiling) == (component == "transformer")  # the text encoder knows of no frames
    (engine,) = built.engines[Component(component)]
    assert len(engine.profiles) == {"text_encoder": 1, "transformer": 2}[component]


def test_other_weights_compile(checkpoint, bundle, compiling):
    """A checkpoint with other values gives another engine."""
    edit_weights(checkpoint, "text_encoder", lambda _, value: value * 1.25)
    build(checkpoint, bundle)
    assert len(compiling) == 1


def test_another_library_compiles(checkpoint, bundle, compiling, monkeypatch):
    """An engine is valid for the version of TensorRT that made it."""
    monkeypatch.setattr(flavour, "version", lambda _: "1.8.0.0")
    build(checkpoint, bundle)
    assert len(compiling) == 1
    assert tiny_bundles.engine_of(bundle, "text_encoder").key["tensorrt"] == "1.8.0.0"


def test_other_islands_compile(checkpoint, bundle, compiling, monkeypatch):
    """What stays in fp32 decides the engine."""
    monkeypatch.setitem(tensorrt.ISLANDS[Family.LTX_VIDEO], Component.TEXT_ENCODER, Islands(streams=("shared",)))
    build(checkpoint, bundle)
    assert len(compiling) == 1


def test_backends_stand_side_by_side(checkpoint, bundle, compiling):
    """An engine for onnxruntime comes before the plan, and building either leaves the other alone."""
    plans = {path: path.stat().st_mtime_ns for path in bundle.rglob("model.plan")}
    build(checkpoint, bundle, backends=("onnxruntime",), precision="fp32")
    assert {path: path.stat().st_mtime_ns for path in bundle.rglob("model.plan")} == plans
    engines = read_bundle(bundle).engines[Component.TEXT_ENCODER]
    assert [engine.backend for engine in engines] == ["onnxruntime", tiny_bundles.RTX]
    graphs = {path: path.stat().st_mtime_ns for path in bundle.rglob("model.onnx")}
    build(checkpoint, bundle, frames=("17",), components=("text_encoder", "transformer"))
    assert len(graphs) == 1
    assert {path: path.stat().st_mtime_ns for path in bundle.rglob("model.onnx")} == graphs
    assert len(compiling) == 1
    assert "-transformer-" in compiling[0].plan


def test_several_backends_in_one_build(checkpoint, tmp_path, compiling):
    """Asked for both, a bundle has both, and the checkpoint's own precision where onnxruntime plays."""
    built = build(checkpoint, tmp_path / "out", backends=("onnxruntime", tiny_bundles.RTX), precision=None)
    engines = {engine.backend: engine for engine in built.engines[Component.TEXT_ENCODER]}
    assert {backend: engine.precision for backend, engine in engines.items()} == {
        "onnxruntime": "fp32",
        tiny_bundles.RTX: "bf16",
    }
    assert engines["onnxruntime"].profiles == ()
    assert len(compiling) == 1
