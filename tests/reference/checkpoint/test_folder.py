"""A component's folder: one file, shards, variants, and what is not there."""

import json

import pytest
import torch
from safetensors.torch import save_file
from vidrt_reference.checkpoint.errors import CheckpointError
from vidrt_reference.checkpoint.folder import component_tensors, read_config

A, B = {"a": torch.zeros(2)}, {"b": torch.ones(3)}


def shards(folder, stem="diffusion_pytorch_model", *, variant=None):
    names = [f"{stem}{f'.{variant}' if variant else ''}-{number:05}-of-00002.safetensors" for number in (1, 2)]
    save_file(A, folder / names[0])
    save_file(B, folder / names[1])
    index = folder / (f"{stem}.safetensors.index.{variant}.json" if variant else f"{stem}.safetensors.index.json")
    index.write_text(json.dumps({"metadata": {}, "weight_map": {"a": names[0], "b": names[1]}}))
    return index, names


@pytest.mark.parametrize("stem", ["diffusion_pytorch_model", "model"])
@pytest.mark.parametrize("variant", ["", ".fp16", ".bf16"])
def test_finds_one_file(tmp_path, stem, variant):
    """The file that diffusers or transformers saved is found under either name, also where there is a variant only."""
    save_file(A, tmp_path / f"{stem}{variant}.safetensors")
    assert [tensor.path.name for tensor in component_tensors(tmp_path).values()] == [f"{stem}{variant}.safetensors"]


@pytest.mark.parametrize("stem", ["diffusion_pytorch_model", "model"])
@pytest.mark.parametrize("variant", [None, "fp16"])
def test_finds_shards(tmp_path, stem, variant):
    """Shards are found through their index, each tensor in its own."""
    _, names = shards(tmp_path, stem, variant=variant)
    found = component_tensors(tmp_path)
    assert {name: tensor.path.name for name, tensor in found.items()} == dict(zip("ab", names, strict=True))


def test_reads_what_diffusers_shards(tmp_path):
    """Shards that diffusers itself writes give the same tensors as its one file."""
    import tiny_ltx

    model = tiny_ltx.transformer()
    model.save_pretrained(tmp_path / "shards", max_shard_size="50KB")
    model.save_pretrained(tmp_path / "one")
    assert len(list((tmp_path / "shards").glob("*.safetensors"))) > 1
    found = [component_tensors(tmp_path / name) for name in ("shards", "one")]
    assert {name: tensor.shape for name, tensor in found[0].items()} == {
        name: tensor.shape for name, tensor in found[1].items()
    }


def test_prefers_plain_files_over_variants(tmp_path):
    """A variant beside a plain file is not taken."""
    save_file(A, tmp_path / "model.fp16.safetensors")
    save_file(B, tmp_path / "model.safetensors")
    assert component_tensors(tmp_path).keys() == {"b"}


def test_a_missing_shard_is_named(tmp_path):
    """A shard that the index names and that is not there is named."""
    _, names = shards(tmp_path)
    (tmp_path / names[1]).unlink()
    with pytest.raises(CheckpointError, match=f"Expected the shard {names[1]} that .* names, but there is none"):
        component_tensors(tmp_path)


@pytest.mark.parametrize("weight_map", [{"a": 0, "b": 1, "c": 1}, {"a": 0}, {"a": 1, "b": 0}])
def test_shards_hold_what_the_index_says(tmp_path, weight_map):
    """A tensor missing from its shard, or in a shard without being named, is not passed over."""
    index, names = shards(tmp_path)
    save_file({**A, "left": torch.zeros(1)}, tmp_path / names[0])
    index.write_text(json.dumps({"weight_map": {name: names[number] for name, number in weight_map.items()}}))
    with pytest.raises(CheckpointError, match=r"Expected diffusion_.* to hold the \d tensors that .* differ"):
        component_tensors(tmp_path)


@pytest.mark.parametrize("shard", ["../model.safetensors", "/etc/passwd", "sub/model.safetensors", "..", ""])
def test_an_index_may_not_lead_out_of_its_folder(tmp_path, shard):
    """A file name in an index that is a path is refused."""
    index, _ = shards(tmp_path)
    index.write_text(json.dumps({"weight_map": {"a": shard}}))
    with pytest.raises(CheckpointError, match="Expected plain file names"):
        component_tensors(tmp_path)


@pytest.mark.parametrize("text", ["{}", '{"weight_map": []}', '{"weight_map": {"a": 1}}'])
def test_an_index_without_a_map_is_told_so(tmp_path, text):
    """An index that maps nothing is refused."""
    shards(tmp_path)[0].write_text(text)
    with pytest.raises(CheckpointError, match="Expected a weight_map"):
        component_tensors(tmp_path)


@pytest.mark.parametrize("name", ["diffusion_pytorch_model.bin", "model.pt"])
def test_pickles_are_refused(tmp_path, name):
    """Weights that only come as a pickle are refused, saying that safetensors is needed."""
    (tmp_path / name).write_bytes(b"")
    with pytest.raises(CheckpointError, match=f"Expected safetensors weights in .*, but there is only {name}"):
        component_tensors(tmp_path)


def test_an_empty_folder_is_told_what_was_looked_for(tmp_path):
    """Where nothing is found, the names looked for are listed."""
    with pytest.raises(
        CheckpointError, match=r"diffusion_pytorch_model\.safetensors, .*model\.safetensors\.index\.json"
    ):
        component_tensors(tmp_path)


def test_a_missing_folder_is_told_so(tmp_path):
    """A folder that is not there is named."""
    with pytest.raises(CheckpointError, match=r"Expected a component's folder at .*nowhere"):
        component_tensors(tmp_path / "nowhere")


def test_reads_the_configuration(tmp_path):
    """config.json is read as it stands, with or without a class asked for."""
    (tmp_path / "config.json").write_text('{"_class_name": "X", "width": 3}')
    assert read_config(tmp_path) == read_config(tmp_path, class_name="X") == {"_class_name": "X", "width": 3}


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (None, "Expected a JSON file at .*config.json, but there is none"),
        ("{", "Expected JSON in .*config.json, but it cannot be parsed"),
        ("[1]", "Expected a JSON object in .*config.json, but it is a list"),
        ('{"_class_name": "Y"}', "Expected 'X' as the _class_name in .*, but it is 'Y'"),
        ("{}", "Expected 'X' as the _class_name in .*, but it is None"),
    ],
)
def test_a_bad_configuration_is_told_so(tmp_path, text, told):
    """A configuration that is missing, no JSON object, or another class's is refused in one sentence."""
    if text is not None:
        (tmp_path / "config.json").write_text(text)
    with pytest.raises(CheckpointError, match=told) as error:
        read_config(tmp_path, class_name="X")
    assert "\n" not in str(error.value)
