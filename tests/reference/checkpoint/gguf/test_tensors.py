"""Blocks of every type, taken apart and put together again, against gguf's own decoder."""

import numpy as np
import pytest
import tiny_gguf
import torch
from gguf import GGMLQuantizationType
from gguf.quants import dequantize, quantize
from vidrt_reference.checkpoint.errors import CheckpointError
from vidrt_reference.checkpoint.gguf import tensors
from vidrt_reference.checkpoint.gguf.header import GgufTensor
from vidrt_reference.checkpoint.gguf.types import TYPES
from vidrt_reference.checkpoint.read import read_tensor
from vidrt_reference.quantised import QuantisedEmbedding

ROWS, COLUMNS = 24, 512
KINDS = {kind.name: kind for kind in TYPES.values()}


@pytest.fixture
def stored(tmp_path):
    """A function of a type and its bytes: the tensor in a file, at no round place."""

    def write(name, data):
        path = tmp_path / f"{name}.bin"
        path.write_bytes(b"\0" * 37 + data.tobytes())
        return GgufTensor(
            name=name, type=KINDS[name], shape=(ROWS, COLUMNS), path=path, offset=37, nbytes=data.nbytes
        )  # fmt: skip

    return write


def blocks(name):
    """A matrix in a type: what gguf makes of random numbers, or any super-blocks."""
    rng = np.random.default_rng(3)
    if name in tiny_gguf.K_TYPES:
        return tiny_gguf.draw_blocks(name, ROWS, COLUMNS, rng)
    return quantize(rng.normal(size=(ROWS, COLUMNS)).astype(np.float32), GGMLQuantizationType[name])


def decoded(name, data):
    return torch.from_numpy(np.array(dequantize(data, GGMLQuantizationType[name]), np.float32))


@pytest.mark.parametrize("name", tiny_gguf.QUANTISED)
@pytest.mark.parametrize("at_once", [1, 1 << 20])
def test_pieces_are_the_numbers_bit_for_bit(stored, name, at_once, monkeypatch):
    """Rows looked up in the pieces equal what gguf decodes, however few rows are taken apart at once."""
    monkeypatch.setattr(tensors, "_AT_ONCE", at_once)
    data = blocks(name)
    tensor = stored(name, data)
    table = QuantisedEmbedding(ROWS, COLUMNS, tensor.type.form)
    pieces = tensors.pieces(tensor)
    assert pieces.keys() == dict(table.named_buffers()).keys()
    for leaf, piece in pieces.items():
        value = read_tensor(piece)
        assert (value.shape, value.dtype) == (table.get_buffer(leaf).shape, table.get_buffer(leaf).dtype)
        assert value.nbytes == piece.nbytes
        table.get_buffer(leaf).copy_(value)
    assert torch.equal(table(torch.arange(ROWS)[None])[0], decoded(name, data))


@pytest.mark.parametrize("name", KINDS)
def test_numbers_are_those_that_gguf_decodes(stored, name):
    """A tensor of any type is read as the numbers that it stands for."""
    data = blocks(name)
    found = tensors.numbers(stored(name, data))
    value = read_tensor(found)
    assert found.dtype == (name if name in {"F32", "F16", "BF16"} else "F32")
    assert (value.shape, value.nbytes) == (found.shape, found.nbytes)
    assert torch.equal(value.float(), decoded(name, data))


# by the bytes of the file: planes of four bits hold four-bit types as they are, and more than others need
SIZES = {
    "Q4_0": 1.0, "Q4_1": 1.0, "Q8_0": 1.0, "Q4_K": 1.03, "Q6_K": 1.31, "Q3_K": 1.33, "Q5_1": 1.5, "Q5_0": 1.55,
    "Q5_K": 1.57, "Q2_K": 1.96,
}  # fmt: skip


@pytest.mark.parametrize("name", tiny_gguf.QUANTISED)
def test_pieces_take_the_room_that_the_documentation_says(stored, name):
    """The size of the pieces beside the file's."""
    tensor = stored(name, blocks(name))
    taken = sum(piece.nbytes for piece in tensors.pieces(tensor).values())
    assert SIZES[name] - 0.01 < taken / tensor.nbytes <= SIZES[name]


@pytest.mark.parametrize(("name", "at"), [("Q8_0", 0), ("Q4_1", 2), ("Q2_K", 82), ("Q6_K", 208)])
def test_scales_that_are_not_finite_are_refused(stored, name, at):
    """Infinity among the scales is told with the tensor's name, whichever way it is read."""
    data = blocks(name).reshape(ROWS, -1, KINDS[name].nbytes)
    data[ROWS - 1, 0, at : at + 2] = np.array([np.inf], np.float16).view(np.uint8)
    tensor = stored(name, data)
    with np.errstate(all="ignore"), pytest.raises(CheckpointError, match=f"finite numbers in {name} of "):
        read_tensor(tensors.numbers(tensor))
    with pytest.raises(CheckpointError, match=f"finite numbers in {name} of "):
        list(map(read_tensor, tensors.pieces(tensor).values()))
