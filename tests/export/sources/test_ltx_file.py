"""LTX-Video's official single files: which version they are, what is refused, and that they give what folders give."""

import json
import re
import shutil
from dataclasses import replace
from pathlib import Path

import diffusers
import ltx_original
import numpy as np
import pytest
from safetensors.numpy import save_file
from vidrt_engines.names import Backend, Component, Family
from vidrt_engines.versions import LTX_SHIFT
from vidrt_export.plan import make_plan
from vidrt_export.sources.known import Known
from vidrt_export.sources.source import read_source
from vidrt_export.sources.text_encoder import T5Choice
from vidrt_export.writing.weights import hash_weights
from vidrt_reference.checkpoint.errors import CheckpointError
from vidrt_reference.checkpoint.read import read_tensor

SMALL = ("0.9.5", "0.9.6-dev", "0.9.6-distilled", "0.9.8-2b-distilled")
DISTILLED = ("0.9.6-distilled", "0.9.8-2b-distilled")
each_form = pytest.mark.parametrize("form", ltx_original.FORMS)


@pytest.fixture
def home(checkpoints, tmp_path):
    """A folder with a text encoder and a tokenizer, where people put an official file."""
    for name in ("text_encoder", "tokenizer"):
        shutil.copytree(checkpoints("0.9.0") / name, tmp_path / "home" / name)
    return tmp_path / "home"


@pytest.fixture
def official(home):
    """A function that writes an official file there; what it is given is what `ltx_original.save` takes."""

    def save(name="ltxv.safetensors", form="0.9.5", changes=None, **more):
        return ltx_original.save(home / name, form, changes, **more)

    return save


def config_of(form, **changes):
    return {**ltx_original.golden()[form]["config"], **changes}


def plan(checkpoint, *components):
    return make_plan(checkpoint, precision=None, components=components, backends=[Backend.ONNXRUNTIME])


def hashes(checkpoint):
    return {
        part.component: (part.config, part.signature, hash_weights(part.used(), lambda _: None))
        for part in checkpoint.parts.values()
    }


def as_folder(checkpoint, home, out):
    """The same model as diffusers saves it: its classes, filled strictly with what has been found."""
    parts = checkpoint.parts
    values = {name: {k: read_tensor(t) for k, t in part.used().items()} for name, part in parts.items()}
    transformer = diffusers.LTXVideoTransformer3DModel(**parts[Component.TRANSFORMER].config)
    transformer.load_state_dict(values[Component.TRANSFORMER], strict=True)
    vae = diffusers.AutoencoderKLLTXVideo(**parts[Component.VAE_DECODER].config)
    halves = {"encoder.": values[Component.VAE_ENCODER], "decoder.": values[Component.VAE_DECODER]}
    own = {f"{prefix}{name}": value for prefix, half in halves.items() for name, value in half.items()}
    statistics = {
        name: vae.state_dict()[name].new_tensor(getattr(checkpoint.settings, name))
        for name in ("latents_mean", "latents_std")
    }
    vae.load_state_dict({**own, **statistics}, strict=True)
    shutil.copytree(home, out)
    transformer.save_pretrained(out / "transformer")
    vae.save_pretrained(out / "vae")
    (out / "model_index.json").write_text(json.dumps({"_class_name": checkpoint.settings.pipeline_class}))
    own = checkpoint.settings.scheduler
    shift = {"use_dynamic_shifting": True, "base_shift": 0.95, "max_shift": 2.05, "base_image_seq_len": 1024}
    scheduler = diffusers.FlowMatchEulerDiscreteScheduler(
        **({**shift, "max_image_seq_len": 4096, "shift_terminal": own.terminal} if own.shift else {})
    )
    scheduler.save_pretrained(out / "scheduler")
    return out


@each_form
def test_a_file_is_the_folder_that_diffusers_saves(home, official, tmp_path, form):
    """Graphs, weights and settings are those of the same model in diffusers' folder, so the bundles are the same."""
    checkpoint = read_source(official(f"ltxv-{form}.safetensors", form))
    folder = read_source(as_folder(checkpoint, home, tmp_path / f"ltx-{form}"))
    assert (checkpoint.family, checkpoint.model_version) == (folder.family, folder.model_version)
    assert hashes(checkpoint) == hashes(folder)
    own = checkpoint.settings
    assert replace(own, scheduler=replace(own.scheduler, sampler=None)) == folder.settings
    assert (own.spatial_compression, own.temporal_compression) == (32, 8)
    plan(checkpoint)


@pytest.mark.parametrize(
    ("name", "form", "versions"),
    [
        ("ltx-video-2b-v0.9.safetensors", "0.9.0", ("0.9.0",)),
        ("ltx-video-2b-v0.9.1.safetensors", "0.9.1", ("0.9.1",)),
        ("ltx-video-2b-v0.9.5.safetensors", "0.9.5", ("0.9.5",)),
        ("ltxv-2b-0.9.6-dev-04-25.safetensors", "0.9.5", ("0.9.6-dev",)),
        ("ltxv-2b-0.9.6-distilled-04-25.safetensors", "0.9.5", ("0.9.6-distilled",)),
        ("ltxv-2b-0.9.8-distilled.safetensors", "0.9.5", ("0.9.8-2b-distilled",)),
        ("LTXV-2B-0.9.8-Distilled-FP8.safetensors", "0.9.5", ("0.9.8-2b-distilled",)),
        ("model.safetensors", "0.9.0", ("0.9.0",)),
        ("model.safetensors", "0.9.5", SMALL),
        ("ltx-video-2b-v0.9.1.safetensors", "0.9.5", SMALL),
    ],
)
@pytest.mark.parametrize("says", [True, False], ids=["with metadata", "without"])
def test_the_name_tells_the_version(official, name, form, versions, says):
    """Among the versions of the file's form its name decides; where it does not, the oldest is taken."""
    checkpoint = read_source(official(name, form, config=None if says else {}))
    assert (checkpoint.model_version, checkpoint.versions) == (versions[0], versions)
    wanted = "LTXPipeline" if form in {"0.9.0", "0.9.1"} else "LTXConditionPipeline"
    assert checkpoint.settings.pipeline_class == wanted


@pytest.mark.parametrize(
    ("config", "metadata", "versions"),
    [
        ({"allowed_inference_steps": [1.0, 0.9937, 0.725, 0.4219]}, {}, DISTILLED),
        ({}, {"model_version": "0.9.6"}, ("0.9.6-dev", "0.9.6-distilled")),
        ({"allowed_inference_steps": [1.0]}, {"model_version": "0.9.6"}, ("0.9.6-distilled",)),
    ],
)
def test_metadata_come_before_the_name(official, config, metadata, versions):
    """A name among what metadata leave is believed; another is not."""
    config = config_of("0.9.5", **config)
    assert read_source(official("model.safetensors", config=config, metadata=metadata)).versions == versions
    named = read_source(official(f"ltxv-{versions[-1]}.safetensors", config=config, metadata=metadata))
    assert named.versions == versions[-1:]
    other = read_source(official("ltxv-0.9.5.safetensors", config=config, metadata=metadata))
    assert other.versions == versions


@pytest.mark.parametrize(
    ("form", "config", "metadata"),
    [
        ("0.9.0", {"transformer": {"causal_temporal_positioning": True}}, {}),
        ("0.9.5", {"transformer": {"causal_temporal_positioning": False}}, {}),
        ("0.9.1", {}, {"model_version": "0.9.8"}),
        ("0.9.0", {"allowed_inference_steps": [1.0]}, {}),
    ],
)
def test_metadata_that_contradict_the_tensors(official, form, config, metadata):
    """Then nothing can be believed."""
    own = config_of(form)
    config = {**own, **config, "transformer": {**own["transformer"], **config.get("transformer", {})}}
    with pytest.raises(CheckpointError, match=r"The file's tensors are those of 0\.9.* and its metadata say otherwise"):
        read_source(official("ltxv.safetensors", form, config=config, metadata=metadata))


@pytest.mark.parametrize(
    ("name", "form", "asked", "told"),
    [
        ("ltxv-2b-0.9.8-distilled.safetensors", "0.9.5", "0.9.5", "or its name 0.9.8-2b-distilled, not 0.9.5: leave"),
        ("model.safetensors", "0.9.1", "0.9.0", "The checkpoint's files are those of 0.9.1, not of 0.9.0"),
        ("model.safetensors", "0.9.5", "0.9.7-dev", "not of 0.9.7-dev"),
        ("model.safetensors", "0.9.5", "0.9.2", "'0.9.2' is no version of LTX-Video"),
    ],
)
def test_a_version_that_contradicts_the_file(official, name, form, asked, told):
    """A version given by hand is refused where metadata, name or form say another."""
    with pytest.raises(CheckpointError, match=re.escape(told)):
        read_source(official(name, form), Known(version=asked))


@pytest.mark.parametrize("asked", SMALL)
def test_a_version_that_nothing_contradicts(official, asked):
    """Where the file leaves several open, the caller decides."""
    assert read_source(official(), Known(version=asked)).model_version == asked


@each_form
def test_a_scheduler_without_metadata_is_the_versions(official, form):
    """The old versions shift by the number of tokens, the later ones do not."""
    scheduler = read_source(official("model.safetensors", form, config={})).settings.scheduler
    shifted = form in {"0.9.0", "0.9.1"}
    assert (scheduler.shift, scheduler.terminal) == ((LTX_SHIFT, 0.1) if shifted else (None, None))


def test_what_contradicts_the_file(official):
    """A caller who knows better is told what the file is."""
    path = official()
    with pytest.raises(CheckpointError, match="is a file of LTX-Video and not of Stable Video Diffusion"):
        read_source(path, Known(family=Family.SVD))
    with pytest.raises(CheckpointError, match="leave --num-frames out"):
        read_source(path, Known(num_frames=14))
    assert read_source(path, Known(family=Family.LTX_VIDEO)).family is Family.LTX_VIDEO


@pytest.mark.parametrize("wrapper", ["model.", "module.", "state_dict.", "module.model."])
def test_a_wrapped_file(home, wrapper):
    """Words that a trainer put in front of all names are taken away."""
    plain = ltx_original.tensors("0.9.5")
    save_file({f"{wrapper}{name}": value for name, value in plain.items()}, home / "ltxv.safetensors")
    checkpoint = read_source(home / "ltxv.safetensors")
    plan(checkpoint)
    assert checkpoint.versions == SMALL


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"model.diffusion_model.proj_out.bias": None}, "1 missing (proj_out.bias)"),
        ({"vae.encoder.conv_in.conv.bias": None}, "1 missing (conv_in.conv.bias)"),
        ({"model.diffusion_model.proj_out.bias": np.zeros(9, np.float32)}, "1 of the wrong shape (proj_out.bias [9]"),
    ],
)
def test_faults_are_found_before_any_work(official, changes, told):
    """Every key and shape is accounted for while the plan is made."""
    with pytest.raises(CheckpointError, match=re.escape(told)):
        plan(read_source(official(changes=changes)))


def test_widths_must_belong_together(official):
    """A file of another width of captions than the text encoder beside it is refused."""
    config = config_of("0.9.5")
    config["transformer"] = {**config["transformer"], "caption_channels": 32}
    with pytest.raises(CheckpointError, match="caption_channels is 32 and the text encoder's d_model is 16"):
        read_source(official(config=config))


def test_no_text_encoder(tmp_path):
    """The official files hold none: what to do is one sentence."""
    path = ltx_original.save(tmp_path / "ltxv.safetensors")
    with pytest.raises(CheckpointError, match=r"Expected a text encoder in .*: put one there, or give --text-encoder"):
        read_source(path)


@pytest.mark.parametrize("given", ["", "text_encoder"])
def test_a_text_encoder_elsewhere(home, tmp_path, given):
    """A folder laid out as a checkpoint's serves many files, and its text encoder's own folder may stand for it."""
    path = ltx_original.save(tmp_path / "ltxv.safetensors")
    checkpoint = read_source(path, Known(t5=T5Choice(folder=home / given)))
    assert checkpoint.tokenizer == home / "tokenizer" / "tokenizer.json"
    files = {tensor.path for tensor in checkpoint.parts[Component.TEXT_ENCODER].used().values()}
    assert files == {home / "text_encoder" / "model.safetensors"}


def test_a_text_encoder_that_is_nowhere(official, tmp_path):
    """What is asked for has to be a folder, and one of two places."""
    with pytest.raises(CheckpointError, match="Expected a folder as --text-encoder"):
        read_source(official(), Known(t5=T5Choice(folder=tmp_path / "none")))
    with pytest.raises(CheckpointError, match="--t5-gguf and --text-encoder exclude each other"):
        read_source(official(), Known(t5=T5Choice(folder=tmp_path, gguf=Path("t5.gguf"))))


def test_the_command(official, build_engines, tmp_path):
    """The plan names the version and the others that it may be; nothing is written."""
    ended = build_engines(official("model.safetensors"), "--out", tmp_path / "out", "--dry-run")
    assert ended.status == 0
    assert ended.out.startswith("LTX-Video 0.9.5\n")
    assert "its files also fit 0.9.6-dev, 0.9.6-distilled, 0.9.8-2b-distilled: see --ltxv-version" in ended.err
    assert not (tmp_path / "out").exists()
