"""LoRAs in checkpoints of other forms than a folder: in an official single file under its own names."""

import shutil

import diffusers
import ltx_original
import pytest
import tiny_lora
import torch
from closeness import FP32, relative_l2
from vidrt_engines.names import Component
from vidrt_export.lora import parse_lora
from vidrt_export.sources.lora import with_loras
from vidrt_export.sources.source import read_source
from vidrt_reference.checkpoint.read import read_tensor


@pytest.fixture
def official(checkpoints, tmp_path):
    """An official file beside a text encoder and a tokenizer."""
    for name in ("text_encoder", "tokenizer"):
        shutil.copytree(checkpoints("0.9.0") / name, tmp_path / name)
    return read_source(ltx_original.save(tmp_path / "ltxv.safetensors"))


@pytest.fixture
def oracle(official):
    """Diffusers' transformer, filled from the same file."""
    part = official.parts[Component.TRANSFORMER]
    model = diffusers.LTXVideoTransformer3DModel(**part.config)
    model.load_state_dict({name: read_tensor(tensor) for name, tensor in part.used().items()}, strict=True)
    return model


@pytest.mark.parametrize("spell", [tiny_lora.official, "transformer.{}".format, tiny_lora.kohya])
def test_official_files_with_any_spelling(official, oracle, tmp_path, spell):
    """The weights are those that diffusers' transformer has after fusing."""
    matrices = tiny_lora.pairs(model=oracle)
    path = tiny_lora.save(tmp_path / "lora.safetensors", model=oracle, spell=spell)
    oracle.load_lora_adapter(tiny_lora.spelled(matrices))
    oracle.fuse_lora(lora_scale=-0.6)
    oracle.unload_lora()
    merged = with_loras(official, [parse_lora(f"{path}:-0.6")]).parts[Component.TRANSFORMER]
    merged.check()
    assert sum(tensor.recipe is not None for tensor in merged.tensors.values()) == len(tiny_lora.RANKS)
    for name, wanted in oracle.state_dict().items():
        got = read_tensor(merged.tensors[name])
        is_changed = name.removesuffix(".weight") in matrices
        assert relative_l2(got, wanted) <= FP32 if is_changed else torch.equal(got, wanted), name


def test_what_was_looked_at_is_not_changed(official, oracle, tmp_path):
    """A checkpoint may be used with and without LoRAs."""
    path = tiny_lora.save(tmp_path / "lora.safetensors", model=oracle)
    before = dict(official.parts[Component.TRANSFORMER].tensors)
    changed = with_loras(official, [parse_lora(str(path))])
    assert official.parts[Component.TRANSFORMER].tensors == before
    assert changed.parts[Component.TRANSFORMER].tensors != before
    assert {name for name in official.parts if changed.parts[name] is not official.parts[name]} == {"transformer"}
