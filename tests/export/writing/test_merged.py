"""Weights with LoRAs in them: written merged, and hashed by what they are made from."""

import pytest
import tiny_lora
import tiny_ltx
import torch
from safetensors.torch import save_file
from vidrt_engines.names import Precision
from vidrt_export.writing.weights import hash_weights, kept_dtypes, place, write_weights
from vidrt_reference.checkpoint.errors import CheckpointError
from vidrt_reference.checkpoint.read import read_tensor
from vidrt_reference.checkpoint.stored import read_header
from vidrt_reference.lora.adapter import read_adapter
from vidrt_reference.lora.merge import merge
from vidrt_reference.lora.merged import Merged


@pytest.fixture
def tensors(tmp_path):
    """A function of a scale and a seed: the tiny transformer's tensors in fp16 with a LoRA in them."""

    def made(scale=1.0, seed=0):
        state = {name: value.half() for name, value in tiny_ltx.transformer().state_dict().items()}
        save_file(state, tmp_path / "base.safetensors")
        adapter = read_adapter(tiny_lora.save(tmp_path / f"{seed}.safetensors", seed))
        base = dict(sorted(read_header(tmp_path / "base.safetensors").items()))
        return merge(base, adapter, scale, parts={}, what="transformer")

    return made


@pytest.fixture
def idle(monkeypatch):
    """Let any merge fail the test."""

    def refused(_):
        raise AssertionError("a weight was made")

    monkeypatch.setattr(Merged, "make", refused)


def write(tensors, path, told=None):
    placed = place(tensors, kept_dtypes(tensors, Precision.FP16))
    return placed, write_weights(path, tensors, placed, ([] if told is None else told).append)


def test_what_is_written_is_merged(tensors, tmp_path):
    """Every value is the recipe's; the hash is the one that is found without writing, and progress adds up."""
    sources, written, hashed = tensors(), [], []
    placed, (of_source, _) = write(sources, tmp_path / "model.weights", written)
    content = (tmp_path / "model.weights").read_bytes()
    for name, one in placed.items():
        piece = bytearray(content[one.offset : one.offset + one.nbytes])
        got = torch.frombuffer(piece, dtype=torch.float16).reshape(one.shape)
        assert torch.equal(got, read_tensor(sources[name])), name
    assert of_source == hash_weights(sources, hashed.append)
    assert sum(hashed) == sum(written) == sum(tensor.nbytes for tensor in sources.values())


@pytest.mark.usefixtures("idle")
def test_hashes_need_no_merging(tensors):
    """What is compared before a build is what was read, and every difference shows: scales, matrices, the base."""
    found = [hash_weights(tensors(*options), lambda _: None) for options in ((), (0.5,), (1.0, 1), ())]
    assert found[0] == found[3]
    assert len(set(found)) == 3


def test_a_lora_that_shrinks_meanwhile_is_told_so(tensors, tmp_path):
    """Cut off after its header was read."""
    sources = tensors()
    path = tmp_path / "0.safetensors"
    path.write_bytes(path.read_bytes()[:-4])
    with pytest.raises(CheckpointError, match=r"ended while .* was read: it has been changed meanwhile"):
        hash_weights(sources, lambda _: None)
    with pytest.raises(CheckpointError, match=r"ended while .* was read: it has been changed meanwhile"):
        write(sources, tmp_path / "model.weights")
