"""What the tests of LoRAs share."""

import pytest
import tiny_ltx
import torch
from safetensors.torch import save_file
from vidrt_reference.checkpoint.errors import CheckpointError
from vidrt_reference.checkpoint.stored import read_header
from vidrt_reference.lora.adapter import read_adapter
from vidrt_reference.lora.merge import merge
from vidrt_reference.ltx_video.original.names import TRANSFORMER_PARTS


@pytest.fixture
def base(tmp_path):
    """A function of a dtype: the tiny transformer's tensors, in a file."""

    def stored(dtype=torch.float32):
        state = {name: value.to(dtype) for name, value in tiny_ltx.transformer().state_dict().items()}
        save_file(state, tmp_path / "base.safetensors")
        return read_header(tmp_path / "base.safetensors")

    return stored


@pytest.fixture
def merged():
    """A function of tensors and of files with scales: the tensors with the LoRAs in them."""

    def result(tensors, *loras):
        for path, scale in loras:
            tensors = merge(tensors, read_adapter(path), scale, parts=TRANSFORMER_PARTS, what="transformer")
        return tensors

    return result


@pytest.fixture
def refused(tmp_path, base, merged):
    """A function of a file's tensors and metadata: the sentence that refuses it, with FILE for its path."""

    def sentence(state, metadata=None):
        path = tmp_path / "lora.safetensors"
        save_file(state, path, metadata=metadata)
        with pytest.raises(CheckpointError) as found:
            merged(base(), (path, 1.0))
        return str(found.value).replace(str(path), "FILE").replace(path.name, "FILE")

    return sentence
