"""Stable Video Diffusion as diffusers saves it: what is read, what is built, what is refused before any tracing."""

import dataclasses
import json
import shutil

import diffusers
import pytest
import tiny_bundles
import tiny_svd
import torch
from safetensors.torch import load_file, save_file
from vidrt_engines.manifest import read_bundle
from vidrt_engines.names import COMPONENTS, Family
from vidrt_engines.svd_settings import SvdSettings
from vidrt_export.sources.diffusers_folder import read_diffusers_folder

WEIGHTS = "diffusion_pytorch_model.safetensors"
SCHEDULER = "scheduler/scheduler_config.json"
CLIP = "feature_extractor/preprocessor_config.json"


@pytest.fixture
def svd_source(svd_checkpoint, tmp_path):
    """A tiny checkpoint that a test may change."""
    return shutil.copytree(svd_checkpoint, tmp_path / "svd")


def edit(path, **changes):
    """Change a JSON file's values; None takes a value away."""
    values = {**json.loads(path.read_text()), **changes}
    path.write_text(json.dumps({name: value for name, value in values.items() if value is not None}))


def edit_weights(path, change):
    """Change a file's tensors by a function that writes into them."""
    tensors = load_file(path)
    change(tensors)
    save_file(tensors, path)


def test_settings_are_the_oracles(svd_checkpoint):
    """What the runtime is told of the pipeline is what diffusers' own pipeline says."""
    oracle = diffusers.StableVideoDiffusionPipeline.from_pretrained(svd_checkpoint)
    checkpoint = read_diffusers_folder(svd_checkpoint)
    settings = checkpoint.settings
    assert isinstance(settings, SvdSettings)
    assert (checkpoint.family, checkpoint.tokenizer) == (Family.SVD, None)
    assert settings.pipeline_class == "StableVideoDiffusionPipeline"
    assert settings.latent_channels == oracle.vae.config.latent_channels
    assert settings.spatial_compression == settings.size_step == oracle.vae_scale_factor == 8
    assert settings.scaling_factor == oracle.vae.config.scaling_factor
    assert settings.image_size == oracle.image_encoder.config.image_size
    assert settings.embedding_width == oracle.image_encoder.config.projection_dim
    assert settings.image_mean == tuple(oracle.feature_extractor.image_mean)
    assert settings.image_std == tuple(oracle.feature_extractor.image_std)
    assert settings.scheduler.sigma_min == oracle.scheduler.config.sigma_min
    assert settings.scheduler.sigma_max == oracle.scheduler.config.sigma_max
    assert dataclasses.asdict(settings.defaults) == {
        "height": 576, "width": 1024, "num_frames": 14, "fps": 7.0, "num_inference_steps": 25,
    }  # fmt: skip


def test_what_files_say_is_read(svd_source):
    """Noise levels, normalisation and the VAE's factor are the files', not assumed."""
    edit(svd_source / SCHEDULER, sigma_min=0.01, sigma_max=80.0)
    edit(svd_source / CLIP, image_mean=[0.1, 0.2, 0.3], image_std=[1, 2, 3])
    edit(svd_source / "vae" / "config.json", scaling_factor=0.5)
    settings = read_diffusers_folder(svd_source).settings
    assert (settings.scheduler.sigma_min, settings.scheduler.sigma_max) == (0.01, 80.0)
    assert (settings.image_mean, settings.image_std) == ((0.1, 0.2, 0.3), (1.0, 2.0, 3.0))
    assert settings.scaling_factor == 0.5


@pytest.mark.parametrize(("frames", "version"), [(14, "svd"), (25, "svd-xt"), (8, "svd")])
def test_the_number_of_frames_tells_the_version(svd_source, frames, version):
    """The UNet's frames are the default's, and 25 of them make it SVD-XT, of which there is no other version."""
    edit(svd_source / "unet" / "config.json", num_frames=frames)
    checkpoint = read_diffusers_folder(svd_source)
    assert (checkpoint.model_version, checkpoint.versions) == (version, (version,))
    assert checkpoint.settings.defaults.num_frames == frames


def test_parts_hold_every_tensor_once(svd_checkpoint):
    """All tensors of all files are used by exactly one part."""
    checkpoint = read_diffusers_folder(svd_checkpoint)
    assert set(checkpoint.parts) == set(COMPONENTS[Family.SVD])
    used = [(tensor.path, tensor.name) for part in checkpoint.parts.values() for tensor in part.used().values()]
    stored = {(path, name) for path in svd_checkpoint.rglob("*.safetensors") for name in load_file(path)}
    assert sorted(used) == sorted(stored)


def test_the_bundle_says_the_same(svd_checkpoint, svd_bundle):
    """A build hands the settings on, and has an engine for each component."""
    bundle, checkpoint = read_bundle(svd_bundle), read_diffusers_folder(svd_checkpoint)
    assert (bundle.family, bundle.model_version, bundle.tokenizer) == (Family.SVD, "svd", None)
    assert bundle.svd == checkpoint.settings
    assert list(bundle.engines) == list(checkpoint.parts)


@pytest.mark.slow
@pytest.mark.usefixtures("cached_traces", "svd_bundle")
def test_a_variant_gives_the_same_engines(tmp_path):
    """Files with fp16 in their names are found where there are no plain ones, and give what plain ones would."""
    pipeline = tiny_svd.build().to(torch.float16)
    pipeline.save_pretrained(tmp_path / "plain")
    pipeline.save_pretrained(tmp_path / "variant", variant="fp16")
    assert not (tmp_path / "variant" / "unet" / WEIGHTS).exists()
    for name in ("plain", "variant"):
        tiny_bundles.build(tmp_path / name, tmp_path / "out" / name)
    for component in COMPONENTS[Family.SVD]:
        plain, variant = (tiny_bundles.engine_of(tmp_path / "out" / name, component) for name in ("plain", "variant"))
        assert plain == variant
        assert plain.precision == "fp16"


@pytest.mark.usefixtures("no_tracing")
def test_positions_that_older_files_hold_are_passed_over(svd_source, build_engines, tmp_path):
    """transformers wrote the positions' numbers down up to its version 4.30: they are no left-over key."""
    name = "vision_model.embeddings.position_ids"
    edit_weights(
        svd_source / "image_encoder" / "model.safetensors", lambda t: t.update({name: torch.arange(257)[None]})
    )
    assert build_engines(svd_source, "--out", tmp_path / "out", "--dry-run").status == 0
