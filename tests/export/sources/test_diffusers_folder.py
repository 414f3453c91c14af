"""A diffusers folder: what is built from each way of saving it, and what is refused before anything is traced."""

import json
import shutil

import pytest
import tiny_bundles
import tiny_ltx
import torch
from safetensors.torch import load_file, save_file
from vidrt_engines.settings import LtxSettings
from vidrt_export.sources.diffusers_folder import read_diffusers_folder

WEIGHTS = "diffusion_pytorch_model.safetensors"


def edit(path, **changes):
    """Change a JSON file's values."""
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


def edit_weights(path, change):
    """Change a file's tensors by a function that writes into them."""
    tensors = load_file(path)
    change(tensors)
    save_file(tensors, path)


@pytest.mark.parametrize("form", tiny_ltx.FORMS)
def test_settings_are_the_oracles(checkpoints, form):
    """What the runtime is told of the pipeline is what diffusers' own pipeline says."""
    oracle = tiny_ltx.build(form)
    settings = read_diffusers_folder(checkpoints(form)).settings
    assert isinstance(settings, LtxSettings)
    assert settings.pipeline_class == "LTXPipeline"
    assert settings.spatial_compression == oracle.vae_spatial_compression_ratio == 32
    assert settings.temporal_compression == oracle.vae_temporal_compression_ratio == 8
    assert settings.latent_channels == oracle.vae.config.latent_channels
    assert settings.rope_width == oracle.transformer.rope.dim
    assert torch.equal(torch.tensor(settings.latents_mean), oracle.vae.latents_mean)
    assert torch.equal(torch.tensor(settings.latents_std), oracle.vae.latents_std)
    assert settings.scaling_factor == oracle.vae.config.scaling_factor
    assert settings.timestep_conditioning is oracle.vae.config.timestep_conditioning
    assert bool(settings.injected_noise) is (form == "0.9.1")


def test_parts_hold_every_tensor_once(checkpoints):
    """All tensors of all files are used by exactly one part, but for the latents' statistics."""
    parts = read_diffusers_folder(checkpoints("0.9.1")).parts
    used = [(tensor.path, tensor.name) for part in parts.values() for tensor in part.used().values()]
    files = checkpoints("0.9.1").rglob("*.safetensors")
    stored = {(path, name) for path in files for name in load_file(path)}
    statistics = {item for item in stored if item[1] in {"latents_mean", "latents_std"}}
    assert len(statistics) == 2
    assert sorted(used) == sorted(stored - statistics)


@pytest.mark.usefixtures("cached_traces")
def test_shards_give_the_same_engine(source, bundles, tmp_path):
    """A transformer saved in many files is built into the engine of the one saved whole."""
    shutil.rmtree(source / "transformer")
    tiny_ltx.build("0.9.0").transformer.save_pretrained(source / "transformer", max_shard_size="30KB")
    assert len(list((source / "transformer").glob("*-of-*.safetensors"))) > 2
    tiny_bundles.build(source, tmp_path / "out", components=("transformer",))
    wanted = tiny_bundles.engine_of(bundles("0.9.0"), "transformer")
    assert tiny_bundles.engine_of(tmp_path / "out", "transformer") == wanted


@pytest.mark.usefixtures("cached_traces")
def test_a_variant_gives_the_same_engines(tmp_path):
    """Files with fp16 in their names are found where there are no plain ones, and give what plain ones would."""
    pipeline = tiny_ltx.build("0.9.0").to(torch.float16)
    pipeline.save_pretrained(tmp_path / "plain")
    pipeline.save_pretrained(tmp_path / "variant", variant="fp16")
    assert not (tmp_path / "variant" / "transformer" / WEIGHTS).exists()
    for name in ("plain", "variant"):
        tiny_bundles.build(tmp_path / name, tmp_path / "out" / name)
    for component in tiny_bundles.COMPONENTS:
        plain, variant = (tiny_bundles.engine_of(tmp_path / "out" / name, component) for name in ("plain", "variant"))
        assert plain == variant
        assert plain.precision == "fp16"


FAULTS = {
    "no index": (lambda f: (f / "model_index.json").unlink(), "has no model_index.json"),
    "an index that is no JSON": (lambda f: (f / "model_index.json").write_text("{"), "Expected JSON in"),
    "an index that is a list": (lambda f: (f / "model_index.json").write_text("[]"), "Expected a JSON object in"),
    "an index without a class": (lambda f: (f / "model_index.json").write_text("{}"), "does not name its _class_name"),
    "another pipeline": (
        lambda f: edit(f / "model_index.json", _class_name="FluxPipeline"),
        "is of a FluxPipeline, and the pipelines known here are LTXPipeline",
    ),
    "another transformer": (
        lambda f: edit(f / "transformer" / "config.json", _class_name="FluxTransformer2DModel"),
        "Expected 'LTXVideoTransformer3DModel' as the _class_name",
    ),
    "another VAE": (
        lambda f: edit(f / "vae" / "config.json", _class_name="AutoencoderKL"),
        "Expected 'AutoencoderKLLTXVideo' as the _class_name",
    ),
    "another text encoder": (lambda f: edit(f / "text_encoder" / "config.json", model_type="umt5"), "'umt5'"),
    "no configuration": (lambda f: (f / "vae" / "config.json").unlink(), "Expected a JSON file at"),
    "a configuration that is no JSON": (
        lambda f: (f / "transformer" / "config.json").write_text("<html>"),
        "Expected JSON in",
    ),
    "a configuration that is a list": (
        lambda f: (f / "transformer" / "config.json").write_text("[1]"),
        "Expected a JSON object in",
    ),
    "no scheduler": (lambda f: shutil.rmtree(f / "scheduler"), "Expected a JSON file at"),
    "a scheduler that is no JSON": (
        lambda f: (f / "scheduler" / "scheduler_config.json").write_text("x"),
        "Expected JSON in",
    ),
    "a scheduler that is a list": (
        lambda f: (f / "scheduler" / "scheduler_config.json").write_text("[]"),
        "Expected a JSON object in",
    ),
    "another scheduler": (
        lambda f: edit(f / "scheduler" / "scheduler_config.json", _class_name="DDIMScheduler"),
        "not 'DDIMScheduler'",
    ),
    "no tokenizer": (lambda f: shutil.rmtree(f / "tokenizer"), "has neither tokenizer.json nor spiece.model"),
    "no transformer": (lambda f: shutil.rmtree(f / "transformer"), "Expected a JSON file at"),
    "no weights": (lambda f: (f / "transformer" / WEIGHTS).unlink(), "Expected weights in"),
    "a pickle": (
        lambda f: (f / "vae" / WEIGHTS).rename(f / "vae" / "diffusion_pytorch_model.bin"),
        "there is only diffusion_pytorch_model.bin",
    ),
    "truncated weights": (
        lambda f: (f / "vae" / WEIGHTS).write_bytes((f / "vae" / WEIGHTS).read_bytes()[:-5]),
        "it is truncated, download it again",
    ),
    "widths of another VAE": (
        lambda f: edit(f / "transformer" / "config.json", in_channels=16),
        "do not belong together: the transformer's in_channels is 16 and the VAE's latent_channels is 8",
    ),
    "widths out of another VAE": (
        lambda f: edit(f / "transformer" / "config.json", out_channels=4),
        "do not belong together: the transformer's out_channels is 4 and the VAE's latent_channels is 8",
    ),
    "widths of another text encoder": (
        lambda f: edit(f / "transformer" / "config.json", caption_channels=32),
        "do not belong together: the transformer's caption_channels is 32 and the text encoder's d_model is 16",
    ),
    "a wrong shape": (
        lambda f: edit_weights(
            f / "transformer" / WEIGHTS, lambda tensors: tensors.update({"proj_in.bias": torch.zeros(7)})
        ),
        "1 of the wrong shape (proj_in.bias [7] instead of [32])",
    ),
    "a missing key": (
        lambda f: edit_weights(f / "transformer" / WEIGHTS, lambda tensors: tensors.pop("proj_in.bias")),
        "1 missing (proj_in.bias)",
    ),
    "a key left over": (
        lambda f: edit_weights(f / "transformer" / WEIGHTS, lambda t: t.update(extra=torch.zeros(1))),
        "1 left over (extra)",
    ),
    "a key left over beside the VAE": (
        lambda f: edit_weights(f / "vae" / WEIGHTS, lambda tensors: tensors.update(extra=torch.zeros(1))),
        "1 left over (extra)",
    ),
    "a key left over in the VAE": (
        lambda f: edit_weights(f / "vae" / WEIGHTS, lambda t: t.update({"decoder.extra": torch.zeros(1)})),
        "1 left over (extra)",
    ),
    "no statistics": (
        lambda f: edit_weights(f / "vae" / WEIGHTS, lambda tensors: tensors.pop("latents_mean")),
        "1 missing (latents_mean)",
    ),
    "statistics of another length": (
        lambda f: edit_weights(f / "vae" / WEIGHTS, lambda t: t.update(latents_std=torch.ones(5))),
        "latents_std should have 8 entries, not 5",
    ),
    "quantised weights": (
        lambda f: edit_weights(
            f / "transformer" / WEIGHTS, lambda t: t.update({"proj_in.bias": torch.zeros(32, dtype=torch.int8)})
        ),
        "is stored as I8, which is not supported yet",
    ),
    "a shard that is not there": (
        lambda f: (
            (f / "transformer" / WEIGHTS).unlink(),
            (f / "transformer" / f"{WEIGHTS}.index.json").write_text(
                '{"weight_map": {"proj_in.bias": "1.safetensors"}}'
            ),
        ),
        "Expected the shard 1.safetensors",
    ),
}


@pytest.mark.usefixtures("no_tracing")
@pytest.mark.parametrize("fault", FAULTS)
def test_faults_are_found_before_tracing(source, tmp_path, build_engines, fault):
    """Whatever is wrong with a checkpoint is one sentence and status 2, and nothing is left at --out."""
    spoil, told = FAULTS[fault]
    spoil(source)
    result = build_engines(source, "--out", tmp_path / "out")
    assert result.status == 2
    assert told in result.err
    lines = [line for line in result.err.splitlines() if "Taken for" not in line]
    assert len(lines) == 1
    assert lines[0].startswith("build-engines: ")
    assert lines[0].endswith(".")
    assert not result.out
    assert not (tmp_path / "out").exists()
