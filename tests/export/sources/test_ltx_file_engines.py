"""Engines from official single files: what they compute, weights in 8 bits, and a file of the largest model."""

import json
import math
import re
import shutil
import struct
import subprocess
import sys

import ltx_original
import numpy as np
import pytest
import tiny_bundles
import torch
import transformers
from closeness import relative_l2
from safetensors.torch import load_file, save_file
from vidrt_engines.manifest import read_bundle
from vidrt_engines.names import Component
from vidrt_reference.checkpoint.stored import read_header, read_metadata
from vidrt_reference.ltx_video.original.config import told
from vidrt_reference.ltx_video.original.file import original_file
from vidrt_reference.ltx_video.original.vae_params import OriginalVae
from vidrt_reference.ltx_video.rope import rope_tables
from vidrt_reference.ltx_video.transformer import Transformer, TransformerParams
from vidrt_reference.ltx_video.vae_decoder import VaeDecoder
from vidrt_reference.ltx_video.vae_encoder import VaeEncoder

COMPONENTS = ("transformer", "vae_encoder", "vae_decoder")

pytestmark = pytest.mark.usefixtures("cached_traces")


@pytest.fixture
def home(checkpoints, tmp_path):
    """A folder with a text encoder and a tokenizer, where people put an official file."""
    for name in ("text_encoder", "tokenizer"):
        shutil.copytree(checkpoints("0.9.0") / name, tmp_path / "home" / name)
    return tmp_path / "home"


@pytest.fixture
def built(build_engines, home):
    """A function that builds a file's components into a bundle by the command, and opens them."""

    def build(path, *components):
        asked = (f"--component={component}" for component in components)
        ended = build_engines(path, "--out", home / "bundle", *asked)
        assert ended.status == 0, ended.err
        sessions = {
            name: tiny_bundles.open_graph(tiny_bundles.graph_path(home / "bundle", name)) for name in components
        }
        return sessions, ended

    return build


def ran(session, **given):
    """What a graph computes of inputs by name; those of blocks that are skipped, where it has any, are zero."""
    for one in session.get_inputs():
        if one.name == "perturbation":
            given[one.name] = np.zeros([1, *one.shape[1:]], np.float32)
    return torch.from_numpy(session.run(None, given)[0])


def transformer_inputs(width):
    given = ltx_original.given()
    cos, sin = rope_tables(torch.from_numpy(given["coordinates"][0].T), width)
    return {
        "latents": given["latents"], "context": given["context"], "timestep": np.array([[700]], np.float32),
        "rope_cos": cos.numpy(), "rope_sin": sin.numpy(),
    }  # fmt: skip


@pytest.mark.slow
def test_engines_compute_what_the_official_code_does(home, built):
    """From the file through the command to onnxruntime: velocity, moments and frames are the official ones."""
    sessions, _ = built(ltx_original.save(home / "ltxv-2b-0.9.6-dev.safetensors"), *COMPONENTS)
    given = ltx_original.given()
    golden = {name: torch.from_numpy(value) for name, value in ltx_original.arrays().items()}
    got = {
        "velocity": ran(sessions["transformer"], **transformer_inputs(128)),
        "moments": ran(sessions["vae_encoder"], frames=given["frames"]),
        "decoded": ran(sessions["vae_decoder"], latents=given["decoded"], timestep=np.array([0.05], np.float32)),
    }
    for name, value in got.items():
        assert relative_l2(value, golden[f"0.9.5 {name}"]) <= 1e-5, name
    assert read_bundle(home / "bundle").model_version == "0.9.6-dev"


def in_8_bits(path, out, scale_name):
    """The same file as people quantise it: the transformer's matrices in 8 bits, with their scales or without."""
    tensors = load_file(path)
    for name, value in list(tensors.items()):
        if name.startswith(ltx_original.TRANSFORMER) and value.ndim == 2 and name.endswith(".weight"):
            scale = value.abs().max() / 448 if scale_name else torch.tensor(1.0)
            tensors[name] = (value / scale).to(torch.float8_e4m3fn)
            if scale_name:
                tensors[f"{name.removesuffix('weight')}{scale_name}"] = scale.clone()
                tensors[f"{name.removesuffix('weight')}input_scale"] = torch.tensor(2.0)
    tensors[f"{ltx_original.TRANSFORMER}scaled_fp8"] = torch.empty(0, dtype=torch.float8_e4m3fn)
    save_file(tensors, out, metadata={"config": json.dumps(ltx_original.golden()["0.9.5"]["config"])})
    return out


@pytest.mark.parametrize("scale_name", ["scale_weight", "weight_scale", ""])
@pytest.mark.slow
def test_8_bits_are_played_as_bfloat16(home, built, scale_name):
    """A quantised file gives the engine of its weights times their scales, and one without scales says so."""
    plain = ltx_original.save(home / "plain.safetensors")
    path = in_8_bits(plain, home / "ltxv-2b-0.9.8-distilled-fp8.safetensors", scale_name)
    plain.unlink()
    sessions, ended = built(path, "transformer")
    assert ("are stored in 8 bits without a scale" in ended.err) is (not scale_name)
    (engine,) = read_bundle(home / "bundle").engines[Component.TRANSFORMER]
    assert engine.precision == "bf16"
    given, values = transformer_inputs(128), load_file(path)
    wide = {}
    for name in filter(lambda name: name.startswith(ltx_original.TRANSFORMER), ltx_original.tensors("0.9.5")):
        scale = values.get(f"{name.removesuffix('weight')}{scale_name}", torch.tensor(1.0))
        is_narrow = values[name].dtype == torch.float8_e4m3fn
        wide[name] = (values[name].float() * (scale if is_narrow else 1)).bfloat16().float()
    module = official_transformer(wide)
    with torch.no_grad():
        wanted = module(*(torch.from_numpy(value) for value in given.values()))
    got = ran(sessions["transformer"], **given)
    assert relative_l2(got, wanted) <= 1e-5
    plain_velocity = torch.from_numpy(ltx_original.arrays()["0.9.5 velocity"])
    assert 1e-3 < relative_l2(got, plain_velocity) < 0.2


def official_transformer(tensors):
    """The transformer with values by their official names."""
    names = {"patchify_proj": "proj_in", "adaln_single": "time_embed", "q_norm": "norm_q", "k_norm": "norm_k"}
    values = {}
    for name, value in tensors.items():
        own = name.removeprefix(ltx_original.TRANSFORMER)
        for theirs, ours in names.items():
            own = own.replace(theirs, ours)
        values[own] = value
    config = ltx_original.golden()["0.9.5"]["config"]["transformer"]
    module = Transformer(
        TransformerParams(
            in_channels=8, out_channels=8, num_attention_heads=32, attention_head_dim=4, cross_attention_dim=128,
            num_layers=config["num_layers"], caption_channels=16,
        )
    )  # fmt: skip
    module.load_state_dict(values, strict=True)
    return module.eval()


T5_XXL = {
    "d_model": 4096, "d_kv": 64, "d_ff": 10240, "num_layers": 24, "num_heads": 64, "vocab_size": 32128,
    "feed_forward_proj": "gated-gelu",
}  # fmt: skip
PROBE = """
import resource, sys
from pathlib import Path
from vidrt_engines.names import Backend
from vidrt_export.plan import make_plan
from vidrt_export.sources.source import read_source
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
checkpoint = read_source(Path(sys.argv[1]))
plan = make_plan(checkpoint, precision=None, components=(), backends=[Backend.ONNXRUNTIME])
for line in plan.lines():
    print(line)
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""


def sparse(path, shapes, metadata=None):
    """A safetensors file of a full size whose tensors take no disk."""
    header, end = {"__metadata__": metadata} if metadata else {}, 0
    for name, shape in shapes.items():
        begin, end = end, end + 2 * math.prod(shape)
        header[name] = {"dtype": "BF16", "shape": list(shape), "data_offsets": [begin, end]}
    text = json.dumps(header).encode()
    with path.open("wb") as file:
        file.write(struct.pack("<Q", len(text)) + text)
        file.truncate(8 + len(text) + end)
    return path


def shapes_13b(tiny):
    """The official names of the 13B model's tensors with their shapes, and its configuration."""
    said = told(read_metadata(tiny), where=tiny)
    found = original_file(read_header(tiny), said)
    width = {"attention_head_dim": 128, "cross_attention_dim": 4096, "num_layers": 48}
    channels = {"in_channels": 128, "out_channels": 128, "caption_channels": 4096}
    bases = {"latent_channels": 128, "encoder_base_channels": 128, "decoder_base_channels": 128}
    config = {"transformer": {**said.transformer, **width, **channels}, "vae": {**said.vae, **bases}}
    vae = OriginalVae.from_config(config["vae"]).params
    with torch.device("meta"):
        transformer, encoder, decoder = Transformer(TransformerParams(**width)), VaeEncoder(vae), VaeDecoder(vae)
    shapes = {f"vae.per_channel_statistics.{name}": (128,) for name in ("mean-of-means", "std-of-means")}
    for module, tensors in ((encoder, found.vae_tensors.encoder), (decoder, found.vae_tensors.decoder)):
        shapes |= {tensors[name].name: tuple(value.shape) for name, value in module.state_dict().items()}
    for name, value in transformer.state_dict().items():
        known = re.sub(r"blocks\.\d+", "blocks.1", name)  # the tiny one has two layers, and all are alike
        official = found.transformer_tensors[name if known not in found.transformer_tensors else known].name
        number = re.search(r"blocks\.(\d+)", name)
        shapes[re.sub(r"blocks\.\d+", f"blocks.{number[1]}", official) if number else official] = tuple(value.shape)
    return shapes, config


def test_the_13b_file_is_planned_by_its_header(home, tmp_path):
    """26 GB of transformer and 10 of text encoder are seen to be whole in some megabytes of memory."""
    shapes, config = shapes_13b(ltx_original.save(tmp_path / "tiny.safetensors"))
    path = sparse(home / "ltxv-13b-0.9.8-dev.safetensors", shapes, {"config": json.dumps(config)})
    shutil.rmtree(home / "text_encoder")
    t5 = transformers.T5Config(**T5_XXL)
    t5.save_pretrained(home / "text_encoder")
    with torch.device("meta"):
        names = {name: value.shape for name, value in transformers.T5EncoderModel(t5).state_dict().items()}
    sparse(home / "text_encoder" / "model.safetensors", {n: s for n, s in names.items() if "embed_tokens" not in n})
    assert path.stat().st_size > 26e9
    assert path.stat().st_blocks * 512 < 10e6
    ended = subprocess.run([sys.executable, "-c", PROBE, path], capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr
    head, *lines, more = ended.stdout.splitlines()
    assert head == "LTX-Video 0.9.8-13b-dev"
    assert [line.split()[0] for line in lines[:4]] == ["text_encoder", *COMPONENTS]
    assert "26,0" in lines[1]
    assert int(more) < 300_000  # kB, of which most are the modules that check the names
