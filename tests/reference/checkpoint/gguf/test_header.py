"""GGUF headers, whole and damaged."""

import struct
import time
import tracemalloc

import numpy as np
import pytest
import tiny_gguf
from gguf import GGMLQuantizationType, GGUFReader, GGUFWriter
from gguf.constants import GGML_QUANT_SIZES
from vidrt_reference.checkpoint.errors import CheckpointError
from vidrt_reference.checkpoint.gguf.cursor import LONGEST_HEADER
from vidrt_reference.checkpoint.gguf.header import read_gguf_header
from vidrt_reference.checkpoint.gguf.types import TYPES

F32, Q8_0 = 0, 8


@pytest.fixture
def path(tmp_path):
    return tmp_path / "t5.gguf"


def text(value):
    encoded = value if isinstance(value, bytes) else value.encode()
    return struct.pack("<Q", len(encoded)) + encoded


def info(name=b"a", shape=(32,), kind=F32, offset=0):
    return text(name) + struct.pack(f"<I{len(shape)}QIQ", len(shape), *shape, kind, offset)


def file(infos=(), values=(), data=b"", *, version=3, magic=b"GGUF", counts=None):
    tensors, keys = counts or (len(infos), len(values))
    head = magic + struct.pack("<IQQ", version, tensors, keys) + b"".join(values) + b"".join(infos)
    return head + bytes(-len(head) % 32) + data


def test_types_are_as_large_as_in_gguf():
    """Numbers, block sizes and bytes of every type are the gguf package's."""
    for number, kind in TYPES.items():
        theirs = GGMLQuantizationType[kind.name]
        assert (theirs, GGML_QUANT_SIZES[theirs]) == (number, (kind.count, kind.nbytes))


def test_says_what_the_gguf_package_says(path):
    """Metadata, shapes, places and bytes of a file that gguf wrote are what gguf reads in it."""
    kinds = dict(zip(("attn_q", "attn_k", "ffn_up", "ffn_down"), tiny_gguf.K_TYPES, strict=False))
    tiny_gguf.save(path, lambda name: kinds.get(name.split(".")[-2], "Q8_0"))
    found, wanted = read_gguf_header(path), GGUFReader(path)
    assert found.tensors.keys() == {tensor.name for tensor in wanted.tensors}
    content = path.read_bytes()
    for theirs in wanted.tensors:
        ours = found.tensors[theirs.name]
        assert ours.shape == tuple(theirs.shape.tolist()[::-1])
        assert (ours.type.name, ours.nbytes, ours.offset) == (
            theirs.tensor_type.name, theirs.n_bytes, theirs.data_offset,
        )  # fmt: skip
        assert content[ours.offset : ours.offset + ours.nbytes] == theirs.data.tobytes()
    for key in ("general.architecture", "t5encoder.block_count", "t5encoder.attention.layer_norm_rms_epsilon"):
        assert found.metadata[key] == wanted.fields[key].contents()
    assert "tokenizer.ggml.tokens" in wanted.fields
    assert "tokenizer.ggml.tokens" not in found.metadata  # arrays are passed over


def test_passes_over_arrays_of_every_kind(path):
    """What follows an array of numbers, of texts or of nothing is read as gguf wrote it."""
    writer = GGUFWriter(path, "t5encoder")
    writer.add_array("a", [1, 2, 3])
    writer.add_array("b", [True, False])
    writer.add_array("c", ["x", "", "ü"])
    writer.add_array("d", [1.5])
    writer.add_string("after", "all")
    writer.add_tensor("t", np.ones((2, 3), np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    header = read_gguf_header(path)
    assert header.metadata["after"] == "all"
    assert header.tensors["t"].shape == (2, 3)


def test_another_alignment_counts(path):
    """Tensors begin where general.alignment says."""
    writer = GGUFWriter(path, "t5encoder")
    writer.add_custom_alignment(4096)
    for name in ("a", "b"):
        writer.add_tensor(name, np.full(5, ord(name), np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    tensors = read_gguf_header(path).tensors
    assert [tensor.offset for tensor in tensors.values()] == [4096, 8192]


NUMBER = struct.pack("<II", 4, 7)
DAMAGED = {
    "empty": (b"", "something else"),
    "another format": (b"PK\3\4" + bytes(60), "something else"),
    "version 1": (file(version=1), "of version 1"),
    "the other byte order": (file(version=3 << 24), "of the other byte order"),
    "only a magic": (b"GGUF", "truncated or damaged"),
    "counts that lie": (file(counts=(2**60, 0)), "truncated or damaged"),
    "keys that lie": (file(counts=(0, 2**63)), "truncated or damaged"),
    "a text of all memory": (file(values=[struct.pack("<Q", 2**62)], counts=(0, 1)), "bytes long"),
    "an array of all memory": (file(values=[text("a") + struct.pack("<IIQ", 9, 10, 2**61)]), "truncated or damaged"),
    "texts of all memory": (file(values=[text("a") + struct.pack("<IIQ", 9, 8, 2**61)]), "truncated or damaged"),
    "arrays in arrays": (file(values=[text("a") + struct.pack("<IIQ", 9, 9, 1)]), "of the kind 9"),
    "a kind that is none": (file(values=[text("a") + struct.pack("<I", 99)]), "of the kind 99"),
    "no UTF-8 in a key": (file(values=[text(b"\xff\xfe") + NUMBER]), "not UTF-8"),
    "no UTF-8 in a name": (file([info(b"\xc3\x28")], data=bytes(128)), "not UTF-8"),
    "a key twice": (file(values=[text("a") + NUMBER] * 2), "'a' twice"),
    "a name twice": (file([info(), info(offset=128)], data=bytes(256)), "'a' twice"),
    "no axes": (file([info(shape=())], data=bytes(128)), "0 axes"),
    "many axes": (file([info(shape=(1,) * 5)], data=bytes(128)), "5 axes"),
    "no numbers": (file([info(shape=(0, 32))], data=bytes(128)), "the shape"),
    "half a block": (file([info(shape=(48, 2), kind=Q8_0)], data=bytes(128)), "the shape"),
    "more than memory": (file([info(shape=(2**63, 2**63))], data=bytes(128)), "truncated or damaged"),
    "sizes that overflow": (file([info(shape=(2**62, 8))], data=bytes(128)), "truncated or damaged"),
    "an offset that overflows": (file([info(offset=2**64 - 64)], data=bytes(128)), "truncated or damaged"),
    "a type that is none": (file([info(kind=77)], data=bytes(128)), "of type 77"),
    "overlapping": (file([info(b"a"), info(b"b", offset=64)], data=bytes(256)), "'a' and 'b' overlap"),
    "cut off": (file([info()], data=bytes(127)), "truncated or damaged"),
    "no alignment": (file(values=[text("general.alignment") + struct.pack("<II", 4, 0)]), "no power of two"),
    "an odd alignment": (file(values=[text("general.alignment") + struct.pack("<II", 4, 48)]), "no power of two"),
}


@pytest.mark.parametrize("fault", DAMAGED)
def test_damage_is_told_in_one_sentence(path, fault):
    """What was expected, what came and what to do, at once and without memory."""
    content, wanted = DAMAGED[fault]
    path.write_bytes(content)
    tracemalloc.start()
    begin = time.process_time()
    with pytest.raises(CheckpointError) as raised:
        read_gguf_header(path)
    seconds, (_, peak) = time.process_time() - begin, tracemalloc.get_traced_memory()
    tracemalloc.stop()
    told = str(raised.value)
    assert wanted in told
    assert str(path) in told
    assert told.startswith("Expected ")
    assert told.endswith(".")
    assert "\n" not in told
    assert seconds < 5
    assert peak < 10 << 20


def test_a_header_of_gigabytes_is_not_read(path):
    """A file whose header goes on beyond any real one is refused after its first part."""
    with path.open("wb") as sparse:
        sparse.write(file(values=[text("a") + struct.pack("<IIQ", 9, 0, 2**32)]))
        sparse.truncate(6 << 30)
    tracemalloc.start()
    with pytest.raises(CheckpointError, match="a GGUF header of at most"):
        read_gguf_header(path)
    assert tracemalloc.get_traced_memory()[1] < 2 * LONGEST_HEADER
    tracemalloc.stop()


def test_many_texts_take_no_memory(path):
    """An array of as many empty texts as a header may hold is walked through within seconds."""
    with path.open("wb") as sparse:
        sparse.write(file(values=[text("a") + struct.pack("<IIQ", 9, 8, 2**40)]))
        sparse.truncate(6 << 30)
    begin = time.process_time()
    with pytest.raises(CheckpointError, match="a GGUF header of at most"):
        read_gguf_header(path)
    assert time.process_time() - begin < 60


def test_a_missing_file_is_told(path):
    """The path is named."""
    with pytest.raises(CheckpointError, match=r"there is none: check the path\.$"):
        read_gguf_header(path)
