"""The header of safetensors files, whole and damaged."""

import json
import struct

import pytest
import torch
from safetensors.torch import save_file
from vidrt_reference.checkpoint.errors import CheckpointError
from vidrt_reference.checkpoint.stored import StoredTensor, read_header, read_metadata


@pytest.fixture
def path(tmp_path):
    return tmp_path / "model.safetensors"


def write(path, header, data=b"", *, length=None):
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(text) if length is None else length) + text + data)


def entry(begin, end, *, dtype="F32", shape=None):
    return {"dtype": dtype, "shape": [(end - begin) // 4] if shape is None else shape, "data_offsets": [begin, end]}


def test_says_where_each_tensor_lies(path):
    """Names, dtypes, shapes and offsets are those of the file: the bytes there are the tensor's."""
    tensors = {
        "a": torch.randn(2, 3),
        "b": torch.arange(5).to(torch.bfloat16),
        "c": torch.tensor(7.0),
        "d": torch.empty(0),
    }
    save_file(tensors, path, metadata={"config": "{}"})
    found = read_header(path)
    content = path.read_bytes()
    assert found.keys() == tensors.keys()
    for name, tensor in tensors.items():
        stored = found[name]
        assert (stored.name, stored.path, stored.shape) == (name, path, tuple(tensor.shape))
        assert content[stored.offset : stored.offset + stored.nbytes] == bytes(
            tensor.view(-1).view(torch.uint8).tolist()
        )
    assert (found["a"].dtype, found["b"].dtype) == ("F32", "BF16")
    assert read_metadata(path) == {"config": "{}"}


def test_an_empty_file_of_no_tensors_is_whole(path):
    """A file may hold no tensors and no metadata."""
    save_file({}, path)
    assert read_header(path) == {}
    assert read_metadata(path) == {}


def test_records_are_frozen(path):
    """What is known of a tensor cannot be changed by accident."""
    stored = StoredTensor(name="a", dtype="F32", shape=(1,), path=path, offset=8, nbytes=4)
    with pytest.raises(AttributeError):
        stored.offset = 0


def test_a_truncated_file_is_told_by_its_bytes(path):
    """A file that lost its end says how many bytes were expected and how many there are."""
    save_file({"a": torch.randn(100)}, path)
    content = path.read_bytes()
    path.write_bytes(content[:-7])
    with pytest.raises(CheckpointError, match=f"Expected {len(content)} bytes in .*, but it has {len(content) - 7}"):
        read_header(path)


def test_a_file_truncated_in_its_header_is_told_so(path):
    """A file that lost even part of its header is truncated too, not of another kind."""
    save_file({"a": torch.randn(100)}, path)
    path.write_bytes(path.read_bytes()[:20])
    with pytest.raises(CheckpointError, match=r"Expected at least \d+ bytes in .*, but it has 20: it is truncated"):
        read_header(path)


@pytest.mark.parametrize(
    "content", [b"PK\x03\x04" + bytes(100), b"GGUF" + bytes(100), b"version https://git-lfs.github.com/spec/v1\noid"]
)
def test_another_kind_of_file_is_told_so(path, content):
    """A zip, a GGUF or the pointer that git-lfs leaves is not taken for a damaged safetensors file."""
    path.write_bytes(content)
    with pytest.raises(CheckpointError, match="it is something else"):
        read_header(path)


def test_a_missing_file_is_told_so(path):
    """A path that leads nowhere is named."""
    with pytest.raises(CheckpointError, match=f"Expected a safetensors file at {path}, but there is none"):
        read_header(path)


@pytest.mark.parametrize("content", [b"", b"\x02", b"\x02" + bytes(7)])
def test_a_file_too_small_for_a_header_is_told_so(path, content):
    """An empty or nearly empty file is damaged."""
    path.write_bytes(content)
    with pytest.raises(CheckpointError, match=f"it has {len(content)} bytes, too few for a header"):
        read_header(path)


@pytest.mark.parametrize(
    ("header", "data", "told"),
    [
        (b"{not json", b"", "its header is not JSON"),
        (b'{"\xff": 1}', b"", "its header is not JSON"),
        ({"a": 5}, b"", "'a' lacks a dtype, a shape or two offsets"),
        ({"a": {"dtype": "F32", "shape": [1]}}, bytes(4), "'a' lacks a dtype"),
        ({"a": {"dtype": "F32", "shape": [1], "data_offsets": [0, 2, 4]}}, bytes(4), "'a' lacks a dtype"),
        ({"a": entry(0, 4, shape=["1"])}, bytes(4), "'a' has the shape"),
        ({"a": entry(0, 4, shape=[-1])}, bytes(4), "'a' has the shape"),
        ({"a": entry(0, 4, shape=[3])}, bytes(4), "needs 12 bytes but lies at 0 to 4"),
        ({"a": entry(-4, 0, shape=[1])}, bytes(4), "needs 4 bytes but lies at -4 to 0"),
        ({"a": entry(0, 4, dtype="Q4")}, bytes(4), "'a' is 'Q4'"),
        ({"a": entry(0, 8), "b": entry(4, 12)}, bytes(12), "'a' and 'b' overlap"),
        ({"a": entry(0, 8), "b": entry(0, 8)}, bytes(8), "'a' and 'b' overlap"),
        ({"a": entry(0, 4)}, bytes(9), "where its header accounts for"),
    ],
)
def test_a_damaged_file_is_told_so(path, header, data, told):
    """Whatever is wrong with a header is said in one sentence that names the tensor."""
    write(path, header, data)
    with pytest.raises(CheckpointError, match=told) as error:
        read_header(path)
    assert str(path) in str(error.value)
    assert "\n" not in str(error.value)


def test_an_absurd_header_length_is_not_read(path):
    """A header longer than the format allows is refused before memory is asked for it."""
    write(path, {"a": entry(0, 4)}, bytes(4), length=2**60)
    with pytest.raises(CheckpointError, match="it is something else"):
        read_header(path)
