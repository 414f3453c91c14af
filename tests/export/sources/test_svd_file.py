"""Stable Video Diffusion's original single file: what its name says, what is refused, and a bundle that plays it."""

import re

import numpy as np
import onnxruntime as ort
import pytest
import svd_original
import torch
from closeness import relative_l2
from safetensors.numpy import load_file, save_file
from vidrt_engines.manifest import read_bundle
from vidrt_engines.names import Backend, Component, Family
from vidrt_export.build import build
from vidrt_export.console import Console
from vidrt_export.plan import make_plan
from vidrt_export.sources.known import Known
from vidrt_export.sources.source import read_source
from vidrt_reference.checkpoint.errors import CheckpointError


@pytest.fixture(scope="module")
def original(tmp_path_factory):
    """A tiny original file."""
    return svd_original.save(tmp_path_factory.mktemp("original") / "svd.safetensors")


@pytest.fixture
def named(original, tmp_path):
    """The same file under another name."""

    def link(name):
        path = tmp_path / name
        path.hardlink_to(original)
        return path

    return link


@pytest.mark.parametrize(
    ("name", "frames", "version"),
    [
        ("svd.safetensors", 14, "svd"),
        ("svd_xt.safetensors", 25, "svd-xt"),
        ("svd_xt_1_1.safetensors", 25, "svd-xt"),
        ("SVD-XT-fp16.safetensors", 25, "svd-xt"),
        ("stable-video-diffusion-img2vid-xt.safetensors", 25, "svd-xt"),
        ("my-svd-tune.safetensors", 14, "svd"),
    ],
)
def test_the_name_tells_the_frames(named, name, frames, version):
    """SVD and SVD-XT are one network: only the file's name tells them apart."""
    checkpoint = read_source(named(name))
    assert (checkpoint.family, checkpoint.model_version) == (Family.SVD, version)
    assert checkpoint.settings.defaults.num_frames == frames


def test_a_name_that_says_nothing_needs_a_number(named):
    """Then the caller says it, and is told so."""
    path = named("model.safetensors")
    with pytest.raises(CheckpointError, match="give --num-frames 14 or 25"):
        read_source(path)
    assert read_source(path, Known(num_frames=25)).model_version == "svd-xt"
    assert read_source(path, Known(num_frames=8)).settings.defaults.num_frames == 8


@pytest.mark.parametrize(
    ("known", "told"),
    [
        (Known(num_frames=25), "by its name a model of 14 frames, not of 25"),
        (Known(family=Family.LTX_VIDEO), "is a file of Stable Video Diffusion and not of LTX-Video"),
        (Known(version="0.9.5"), "a version of LTX-Video does not concern it"),
    ],
)
def test_what_contradicts_the_file(original, known, told):
    """A caller who knows better is told what the file is."""
    with pytest.raises(CheckpointError, match=re.escape(told)):
        read_source(original, known)


def test_a_folder_has_its_own_frames(svd_checkpoint):
    """There the number is in unet/config.json."""
    with pytest.raises(CheckpointError, match="leave --num-frames out"):
        read_source(svd_checkpoint, Known(num_frames=14))


def test_a_wrapped_file(tmp_path):
    """A trainer's word in front of all names is taken away."""
    plain = load_file(svd_original.save(tmp_path / "plain.safetensors"))
    save_file({f"state_dict.{name}": value for name, value in plain.items()}, tmp_path / "svd.safetensors")
    assert read_source(tmp_path / "svd.safetensors").family is Family.SVD


def test_a_file_of_another_kind(tmp_path):
    """What is recognised as nothing is named by a few of its tensors."""
    save_file({"model.layers.0.weight": np.ones(2)}, tmp_path / "svd.safetensors")
    with pytest.raises(CheckpointError, match=r"another kind \(layers.0.weight\)"):
        read_source(tmp_path / "svd.safetensors")


@pytest.mark.parametrize(
    "missing", ["model.diffusion_model.middle_block.1.norm.bias", "first_stage_model.decoder.conv_out.bias"]
)
def test_a_missing_tensor_is_found_before_any_work(tmp_path, missing):
    """Every key is accounted for while the plan is made."""
    path = svd_original.save(tmp_path / "svd.safetensors", {missing: None})
    with pytest.raises(CheckpointError, match="1 missing"):
        make_plan(read_source(path), precision=None, components=(), backends=[Backend.ONNXRUNTIME])


def test_a_bundle_plays_what_the_original_computes(original, tmp_path):
    """Fused, reshaped and transposed weights arrive in the engines as the original's own results."""
    parts = (Component.IMAGE_ENCODER, Component.VAE_ENCODER, Component.VAE_DECODER)
    plan = make_plan(read_source(original), precision=None, components=parts, backends=[Backend.ONNXRUNTIME])
    build(plan, tmp_path / "bundle", Console(quiet=True))
    golden = svd_original.arrays()
    bundle = read_bundle(tmp_path / "bundle")
    for part, given, wanted in (
        (Component.IMAGE_ENCODER, golden["clip_image"], golden["embedding"]),
        (Component.VAE_ENCODER, golden["image"], golden["encoded"]),
        (Component.VAE_DECODER, golden["decoded_latents"][None], golden["decoded"][None]),
    ):
        (engine,) = bundle.engines[part]
        session = ort.InferenceSession(tmp_path / "bundle" / engine.files[0].path, providers=["CPUExecutionProvider"])
        (got,) = session.run(None, {engine.inputs[0].name: given})
        assert relative_l2(torch.from_numpy(got[:, : wanted.shape[1]]), torch.from_numpy(wanted)) <= 1e-5, part
