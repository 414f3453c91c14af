"""Folders of Stable Video Diffusion that are not whole or not what they should be: one sentence, before any tracing."""

import json
import shutil

import pytest
import torch
from safetensors.torch import load_file, save_file

WEIGHTS = "diffusion_pytorch_model.safetensors"
SCHEDULER = "scheduler/scheduler_config.json"
CLIP = "feature_extractor/preprocessor_config.json"


def edit(name, **changes):
    """A fault: a JSON file's values are others, or with None gone."""

    def spoil(folder):
        values = {**json.loads((folder / name).read_text()), **changes}
        (folder / name).write_text(json.dumps({key: value for key, value in values.items() if value is not None}))

    return spoil


def edit_weights(name, change):
    """A fault: a file's tensors are others."""

    def spoil(folder):
        tensors = load_file(folder / name)
        change(tensors)
        save_file(tensors, folder / name)

    return spoil


def lose(name):
    """A fault: a file or folder is not there."""

    def spoil(folder):
        path = folder / name
        path.unlink() if path.is_file() else shutil.rmtree(path)

    return spoil


FAULTS = {
    "no UNet": (lose("unet"), "Expected a JSON file at"),
    "no VAE": (lose("vae"), "Expected a JSON file at"),
    "no image encoder": (lose("image_encoder"), "Expected a JSON file at"),
    "no scheduler": (lose("scheduler"), "Expected a JSON file at"),
    "no feature extractor": (lose("feature_extractor"), "Expected a JSON file at"),
    "no preprocessor_config.json": (lose(CLIP), "Expected a JSON file at"),
    "no weights": (lose(f"unet/{WEIGHTS}"), "Expected weights in"),
    "another UNet": (
        edit("unet/config.json", _class_name="UNet2DConditionModel"),
        "Expected 'UNetSpatioTemporalConditionModel' as the _class_name",
    ),
    "another VAE": (
        edit("vae/config.json", _class_name="AutoencoderKL"),
        "Expected 'AutoencoderKLTemporalDecoder' as the _class_name",
    ),
    "another image encoder": (edit("image_encoder/config.json", model_type="siglip_vision_model"), "clip_vision_model"),
    "another scheduler": (edit(SCHEDULER, _class_name="DDIMScheduler"), "DDIMScheduler"),
    "another prediction": (edit(SCHEDULER, prediction_type="epsilon"), "epsilon"),
    "another spacing": (edit(SCHEDULER, timestep_spacing="trailing"), "trailing"),
    "timesteps that are no logarithms": (edit(SCHEDULER, timestep_type="discrete"), "discrete"),
    "no Karras": (edit(SCHEDULER, use_karras_sigmas=False), "use_karras_sigmas"),
    "no least noise": (edit(SCHEDULER, sigma_min=None), "sigma_min"),
    "no most noise": (edit(SCHEDULER, sigma_max=None), "sigma_max"),
    "noise that is a word": (edit(SCHEDULER, sigma_max="high"), "sigma_max"),
    "noise levels in the wrong order": (edit(SCHEDULER, sigma_min=10, sigma_max=1), "sigma_min"),
    "no means": (edit(CLIP, image_mean=None), "three numbers as image_mean, not None"),
    "two means": (edit(CLIP, image_mean=[0.5, 0.5]), "three numbers as image_mean, not [0.5, 0.5]"),
    "a deviation that is a word": (edit(CLIP, image_std=[1, 1, "x"]), "three numbers as image_std"),
    "a deviation of zero": (edit(CLIP, image_std=[1, 1, 0]), "image_std"),
    "widths of another VAE": (
        edit("vae/config.json", latent_channels=16),
        "do not belong together: the UNet's out_channels is 4 and the VAE's latent_channels is 16",
    ),
    "a UNet that takes no picture": (
        edit("unet/config.json", in_channels=4),
        "do not belong together: the UNet's in_channels is 4 and twice the VAE's latent_channels is 8",
    ),
    "widths of another image encoder": (
        edit("image_encoder/config.json", projection_dim=48),
        "the UNet's cross_attention_dim is 32 and the image encoder's projection_dim is 48",
    ),
    "other micro-conditionings": (
        edit("unet/config.json", projection_class_embeddings_input_dim=64),
        "the UNet's micro-conditionings is 2 and what the pipeline gives is 3",
    ),
    "a key left over in the UNet": (
        edit_weights(f"unet/{WEIGHTS}", lambda t: t.update(extra=torch.zeros(1))),
        "1 left over (extra)",
    ),
    "a key left over in the VAE": (
        edit_weights(f"vae/{WEIGHTS}", lambda t: t.update({"decoder.extra": torch.zeros(1)})),
        "1 left over (extra)",
    ),
    "a key left over in the image encoder": (
        edit_weights("image_encoder/model.safetensors", lambda t: t.update(extra=torch.zeros(1))),
        "1 left over (extra)",
    ),
    "a missing key": (
        edit_weights(f"unet/{WEIGHTS}", lambda t: t.pop("conv_in.bias")),
        "1 missing (conv_in.bias)",
    ),
    "a wrong shape": (
        edit_weights(f"unet/{WEIGHTS}", lambda t: t.update({"conv_in.bias": torch.zeros(7)})),
        "1 of the wrong shape (conv_in.bias [7] instead of [32])",
    ),
}


@pytest.fixture
def refused(build_engines, tmp_path):
    """Builds what cannot be built, and gives the one line that is said of it."""

    def build(*arguments):
        result = build_engines(*arguments, "--out", tmp_path / "out")
        assert (result.status, result.out) == (2, "")
        (line,) = result.err.splitlines()
        assert line.startswith("build-engines: ")
        assert line.endswith(".")
        assert not (tmp_path / "out").exists()
        return line

    return build


@pytest.mark.usefixtures("no_tracing")
@pytest.mark.parametrize("fault", FAULTS)
def test_faults_are_found_before_tracing(svd_checkpoint, tmp_path, refused, fault):
    """Whatever is wrong with a checkpoint is one sentence and status 2, and nothing is left at --out."""
    source = shutil.copytree(svd_checkpoint, tmp_path / "svd")
    spoil, told = FAULTS[fault]
    spoil(source)
    assert told in refused(source)


@pytest.mark.usefixtures("no_tracing")
def test_a_version_of_ltx_video_is_refused(svd_checkpoint, refused):
    """--ltxv-version does not concern Stable Video Diffusion, which says so."""
    line = refused(svd_checkpoint, "--ltxv-version", "0.9.5")
    assert "is of a StableVideoDiffusionPipeline: a version of LTX-Video does not concern it" in line


@pytest.mark.usefixtures("no_tracing")
def test_the_wrong_family_is_refused(svd_checkpoint, checkpoints, refused):
    """--family is compared with what the files say, either way."""
    line = refused(svd_checkpoint, "--family", "ltx-video")
    assert "is of a StableVideoDiffusionPipeline, which is svd and not ltx-video" in line
    assert "is of a LTXPipeline, which is ltx-video and not svd" in refused(checkpoints("0.9.0"), "--family", "svd")


@pytest.mark.usefixtures("no_tracing")
def test_the_right_family_is_taken(svd_checkpoint, build_engines, tmp_path):
    """--family svd reads the folder, and the plan says what it is."""
    result = build_engines(svd_checkpoint, "--out", tmp_path / "out", "--family", "svd", "--dry-run")
    assert (result.status, result.err) == (0, "")
    first, *rows, _ = result.out.splitlines()
    assert first == "Stable Video Diffusion svd"
    assert [row.split()[:3] for row in rows] == [
        [name, "onnxruntime", "fp32"] for name in ("image_encoder", "vae_encoder", "unet", "vae_decoder")
    ]
