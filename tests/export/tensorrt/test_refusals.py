"""What the sentinel and the audit refuse leaves nothing behind."""

import pytest
import tiny_bundles
from edited import edited_copy, scaled
from vidrt_reference.checkpoint.errors import CheckpointError

LOUD_T5 = scaled({"wi_1.weight": 2.0**15, "wo.weight": 2.0**-15})
T5 = {"components": ("text_encoder",), "backends": (tiny_bundles.RTX,)}


@pytest.fixture
def compiling(monkeypatch):
    """Count compilations."""
    from vidrt_export.backends import tensorrt

    real, jobs = tensorrt.compile_plan, []

    def counted(job, *arguments):
        jobs.append(job)
        return real(job, *arguments)

    monkeypatch.setattr(tensorrt, "compile_plan", counted)
    return jobs


@pytest.mark.usefixtures("cached_traces")
def test_t5_that_overflows_is_built_in_bf16(fused_checkpoint, tmp_path, compiling):
    """In fp16 it is refused before anything is compiled and leaves no bundle; in bf16 it becomes an engine."""
    loud, out = edited_copy(fused_checkpoint, tmp_path / "loud", "text_encoder", LOUD_T5), tmp_path / "out"
    with pytest.raises(CheckpointError, match=r"^The text encoder in fp16 overflows .* --precision bf16 or fp32"):
        tiny_bundles.build(loud, out, precision="fp16", **T5)
    assert not out.exists()
    assert compiling == []
    tiny_bundles.build(loud, out, precision="bf16", **T5)
    assert tiny_bundles.engine_of(out, "text_encoder").precision == "bf16"
    assert len(compiling) == 1


@pytest.mark.usefixtures("cached_traces")
def test_a_refusal_leaves_what_was_there(fused_checkpoint, rtx_bundles, tmp_path):
    """A bundle keeps its engines, and no folder of the one that was refused."""
    import shutil

    out = shutil.copytree(rtx_bundles("bf16")[0], tmp_path / "out")
    before = tiny_bundles.contents(out)
    loud = edited_copy(fused_checkpoint, tmp_path / "loud", "text_encoder", LOUD_T5)
    with pytest.raises(CheckpointError, match="overflows"):
        tiny_bundles.build(loud, out, precision="fp16", **T5)
    assert tiny_bundles.contents(out) == before
    assert not list(out.glob(".*"))


@pytest.mark.usefixtures("cached_traces")
def test_a_network_that_is_not_the_recipe_is_refused(fused_checkpoint, tmp_path, monkeypatch):
    """Where the parsed network has other attentions than the graph, one sentence says how many."""
    import dataclasses

    from vidrt_export.backends import tensorrt

    real = tensorrt.expected_of
    monkeypatch.setattr(tensorrt, "expected_of", lambda *a: dataclasses.replace(real(*a), attentions=3, fused=3))
    told = r"^TensorRT cannot build the text encoder: .* 2 attention layers where the graph has 3 attentions\.$"
    with pytest.raises(CheckpointError, match=told):
        tiny_bundles.build(fused_checkpoint, tmp_path / "out", options=tiny_bundles.unchecked(), **T5)
    assert not (tmp_path / "out").exists()
