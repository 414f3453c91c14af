"""Weights are compiled from where they lie; only what must change is written."""

import shutil

import pytest
import tiny_bundles
import tiny_ltx
import torch
from vidrt_engines.names import Component
from vidrt_export.backends import tensorrt
from vidrt_export.sources.diffusers_folder import read_diffusers_folder

pytestmark = pytest.mark.usefixtures("cached_traces")


@pytest.fixture
def watched(monkeypatch):
    """What lies in the folder of the build when it is compiled, with sizes, and the job."""
    real, seen = tensorrt.compile_plan, {}

    def compiled(job, folder, *arguments):
        seen.update({"files": {path.name: path.stat().st_size for path in folder.iterdir()}, "job": job})
        return real(job, folder, *arguments)

    monkeypatch.setattr(tensorrt, "compile_plan", compiled)
    return seen


@pytest.fixture
def stored_as(tmp_path):
    """A function of a type: a checkpoint whose weights are stored in it."""

    def save(dtype):
        pipeline = tiny_ltx.build("0.9.5", changes=tiny_ltx.FUSED_HEADS)
        for model in (pipeline.transformer, pipeline.vae, pipeline.text_encoder):
            model.to(dtype)
        pipeline.save_pretrained(tmp_path / "checkpoint")
        return tmp_path / "checkpoint"

    return save


def build(source, out):
    tiny_bundles.build(
        source, out, precision="bf16", components=("transformer",), backends=(tiny_bundles.RTX,),
        options=tiny_bundles.unchecked(),
    )  # fmt: skip


def test_bf16_is_compiled_from_the_checkpoint(stored_as, watched, tmp_path):
    """Of weights that are stored as they are computed, none is written at any time."""
    source = stored_as(torch.bfloat16)
    build(source, tmp_path / "out")
    assert "model.weights" not in watched["files"]
    (stored,) = (source / "transformer").glob("*.safetensors")
    part = read_diffusers_folder(source).parts[Component.TRANSFORMER]
    assert set(watched["job"].initializers) == set(part.used())
    for name, place in watched["job"].initializers.items():
        tensor = part.used()[name]
        assert (place.path, place.offset, place.nbytes) == (str(stored), tensor.offset, tensor.nbytes)


def test_only_what_is_narrowed_is_written(stored_as, watched, tmp_path):
    """Of weights stored in fp32 those that are computed in bf16 are written in it; the islands stay where they are."""
    source = stored_as(torch.float32)
    build(source, tmp_path / "out")
    part = read_diffusers_folder(source).parts[Component.TRANSFORMER]
    places = watched["job"].initializers
    islands = {name for name in part.used() if name.startswith("time_embed") or ".attn1.norm_" in name}
    beside = {name for name, place in places.items() if place.path.endswith("model.weights")}
    assert beside == set(part.used()) - islands
    assert len(islands) > 4
    for name in beside:
        assert places[name].nbytes == part.used()[name].nbytes // 2
    narrowed = sum(places[name].nbytes for name in beside)
    assert narrowed <= watched["files"]["model.weights"] <= narrowed + 64 * len(beside) + 4096 * len(beside)


def test_the_checkpoint_may_go(stored_as, tmp_path):
    """The plan holds its weights: what was compiled from is not needed again."""
    source = stored_as(torch.bfloat16)
    build(source, tmp_path / "out")
    shutil.rmtree(source)
    engine = tiny_bundles.engine_of(tmp_path / "out", "transformer")
    assert [file.path.rpartition("/")[2] for file in engine.files] == ["model.plan"]
    assert (tmp_path / "out" / engine.files[0].path).stat().st_size == engine.files[0].bytes > 0
