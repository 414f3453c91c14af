"""The upscaler of a second pass: where it is found, what is refused, and what its engines compute."""

import shutil

import numpy as np
import pytest
import tiny_bundles
import tiny_upscaler
import torch
from closeness import relative_l2
from vidrt_engines.names import Component
from vidrt_engines.profiles import Span

UPSAMPLER = str(Component.LATENT_UPSAMPLER)
ONLY = ("--component", UPSAMPLER)
TWO_PASSES = "0.9.8-2b-distilled"
GRIDS = [(1, 1, 1, 1), (2, 2, 3, 1), (3, 1, 1, 3), (1, 5, 3, 7), (1, 2, 7, 3), (1, 1, 7, 7)]


@pytest.fixture
def source(checkpoints, tmp_path):
    """A folder of a version that makes two passes by its name, without an upscaler."""
    return shutil.copytree(checkpoints("0.9.5"), tmp_path / f"ltxv-{TWO_PASSES}")


@pytest.fixture
def upscaler(tmp_path):
    return tiny_upscaler.save(tmp_path / tiny_upscaler.FILE)


@pytest.fixture
def planned(build_engines, source, tmp_path):
    """The first lines of a plan, by component, and what was told."""

    def plan(*options, path=source):
        result = build_engines(path, "--out", tmp_path / "out", "--dry-run", *options)
        assert result.status == 0, result.err
        return {line.split()[0]: line for line in result.out.splitlines()[1:-1]}, result.err

    return plan


@pytest.mark.parametrize("form", [{}, {"dims": 2}], ids=["3D", "2D"])
def test_the_engine_computes_what_diffusers_does(build_engines, source, tmp_path, form):
    """From the official file through the command to onnxruntime: diffusers' latents, at the ends of every axis."""
    path = tiny_upscaler.save(tmp_path / "upscaler.safetensors", num_blocks_per_stage=2, **form)
    result = build_engines(source, "--out", tmp_path / "out", "--upscaler", path, *ONLY)
    assert result.status == 0, result.err
    session = tiny_bundles.open_graph(tiny_bundles.graph_path(tmp_path / "out", UPSAMPLER))
    oracle = tiny_upscaler.build(num_blocks_per_stage=2, **form)
    for batch, frames, rows, columns in GRIDS:
        latents = np.random.default_rng(rows).normal(0.5, 2, (batch, 8, frames, rows, columns)).astype(np.float32)
        with torch.no_grad():
            wanted = oracle(torch.from_numpy(latents))
        (got,) = session.run(None, {"latents": latents})
        assert relative_l2(torch.from_numpy(got), wanted) <= 1e-5, (batch, frames, rows, columns)


@pytest.mark.parametrize("precision", ["bf16", pytest.param("fp16", marks=pytest.mark.slow)])
def test_a_plan_is_compiled(build_engines, source, upscaler, tmp_path, precision):
    """TensorRT for RTX takes it in half precision, for the sizes of the first pass, after a look at its values."""
    result = build_engines(
        source, "--out", tmp_path / "out", "--upscaler", upscaler, *ONLY, "--backend", tiny_bundles.RTX,
        "--precision", precision, "--resolution", "64x96:96x128:128x192", "--frames", "9",
    )  # fmt: skip
    assert result.status == 0, result.err
    engine = tiny_bundles.engine_of(tmp_path / "out", UPSAMPLER)
    assert (engine.backend, engine.precision) == (tiny_bundles.RTX, precision)
    rows, columns = Span(min=1, opt=1, max=2), Span(min=1, opt=2, max=3)
    one, two = Span(min=1, opt=1, max=1), Span(min=2, opt=2, max=2)
    assert engine.profiles == ({"batch": one, "latent_columns": columns, "latent_frames": two, "latent_rows": rows},)
    assert result.err.count("from fp32 at") == 3


def test_every_form_is_the_same_upscaler(planned, upscaler, tmp_path):
    """A file, diffusers' folder, its sub-folder, and a folder with a file in it: each is planned by its name."""
    whole = tiny_upscaler.save_folder(tmp_path / "diffusers")
    (tmp_path / "files").mkdir()
    shutil.copy(upscaler, tmp_path / "files")
    forms = {
        upscaler: tiny_upscaler.FILE, whole: UPSAMPLER, whole / UPSAMPLER: UPSAMPLER,
        tmp_path / "files": tiny_upscaler.FILE,
    }  # fmt: skip
    for path, name in forms.items():
        rows, told = planned("--upscaler", path)
        assert list(rows) == ["text_encoder", "transformer", "vae_encoder", UPSAMPLER, "vae_decoder"]
        assert rows[UPSAMPLER].endswith(f" of {name}")
        assert told == ""


@pytest.mark.parametrize("name", [UPSAMPLER, tiny_upscaler.FILE])
def test_what_lies_beside_is_taken_and_said(planned, source, tmp_path, name):
    """A folder or an official file in SOURCE is taken for a version of two passes, and a line names it."""
    tiny_upscaler.save_folder(tmp_path / "made")
    tiny_upscaler.save(tmp_path / "made" / tiny_upscaler.FILE)
    shutil.move(tmp_path / "made" / name, source / name)
    rows, told = planned()
    assert rows[UPSAMPLER].endswith(f" of {name}")
    assert f"The upscaler for a second pass is {name}, which lies beside it" in told
    rows, told = planned("--component", "transformer")
    assert (list(rows), told) == (["transformer"], "")


def test_the_versions_own_file_comes_before_a_newer_one(planned, source):
    """Of several official files the one of the version's number is taken, else the newest."""
    for number in ("0.9.7", "0.9.8", "0.9.9"):
        tiny_upscaler.save(source / f"ltxv-spatial-upscaler-{number}.safetensors")
    assert planned()[0][UPSAMPLER].endswith("-0.9.8.safetensors")
    (source / tiny_upscaler.FILE).unlink()
    assert planned()[0][UPSAMPLER].endswith("-0.9.9.safetensors")


def test_a_version_of_one_pass_takes_none(planned, source, tmp_path):
    """Where the files are of a version without a second pass, what lies beside them is left where it is."""
    single = source.rename(tmp_path / "ltxv-2b-0.9.6-dev")
    tiny_upscaler.save(single / tiny_upscaler.FILE)
    rows, told = planned(path=single)
    assert UPSAMPLER not in rows
    assert told == ""


def test_that_there_is_none_is_said(planned):
    """A version of two passes without an upscaler is planned for one, and a line says what is missing."""
    rows, told = planned()
    assert UPSAMPLER not in rows
    assert f"There is no upscaler beside it, without which {TWO_PASSES} makes one pass: see --upscaler." in told


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--upscaler", "{tmp}/none"], "is no folder or file here, nor OWNER/NAME of a model of the hub"),
        (["--upscaler", "{source}"], "but there is neither latent_upsampler/config.json nor ltxv-spatial-upscaler-"),
        (["--upscaler", "{source}/vae"], "Expected 'LTXLatentUpsamplerModel' as the _class_name"),
        (["--upscaler", "{tmp}/temporal.safetensors"], "temporal upscaler, which makes more frames"),
        (["--upscaler", "{source}/transformer/diffusion_pytorch_model.safetensors"], "tensors are of another kind"),
        (["--upscaler", "{tmp}/wide.safetensors"], "in_channels is 16 and the VAE's latent_channels is 8"),
        (["--upscaler", "{tmp}/short.safetensors"], "res_blocks.1"),
        (["--upscaler", "{upscaler}", "--component", "transformer"], "which --component leaves out"),
        (["--upscaler", "{upscaler}", "--ltxv-version", "0.9.1"], "not of 0.9.1"),
        ([*ONLY], "in a file or folder of its own: give it as --upscaler"),
    ],
)
@pytest.mark.usefixtures("no_tracing")
def test_bad_requests_are_one_sentence(build_engines, source, upscaler, tmp_path, arguments, told):
    """What is no upscaler, or of no use, is status 2 and one line, before anything is built."""
    tiny_upscaler.save(tmp_path / "temporal.safetensors", temporal_upsample=True, spatial_upsample=False)
    tiny_upscaler.save(tmp_path / "wide.safetensors", in_channels=16)
    tiny_upscaler.save(tmp_path / "short.safetensors", config={**tiny_upscaler.CONFIG, "num_blocks_per_stage": 2})
    words = [word.format(tmp=tmp_path, source=source, upscaler=upscaler) for word in arguments]
    result = build_engines(source, "--out", tmp_path / "out", *words)
    line = result.err.splitlines()[-1]
    assert (result.status, result.out) == (2, "")
    assert line.startswith("build-engines: ")
    assert told in line
    assert not (tmp_path / "out").exists()


@pytest.mark.usefixtures("no_tracing")
def test_other_models_have_no_second_pass(build_engines, checkpoints, svd_checkpoint, upscaler, tmp_path):
    """Stable Video Diffusion and versions of one pass refuse an upscaler, each by its name."""
    for path, name in ((svd_checkpoint, "Stable Video Diffusion"), (checkpoints("0.9.1"), "LTX-Video 0.9.1")):
        result = build_engines(path, "--out", tmp_path / "out", "--upscaler", upscaler, "--dry-run")
        assert result.status == 2
        assert f"{name} has no second pass: leave --upscaler out." in result.err


@pytest.mark.usefixtures("no_tracing")
def test_the_upscaler_is_no_source(build_engines, upscaler, tmp_path):
    """Given as SOURCE, the sentence names the option that takes it."""
    result = build_engines(upscaler, "--out", tmp_path / "out")
    assert result.status == 2
    assert "and this one as --upscaler" in result.err
