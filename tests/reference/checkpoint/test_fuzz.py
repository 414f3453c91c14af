"""Thousands of damaged and forged files: each is read as it is, or refused in one sentence, soon and without memory."""

import json
import math
import random
import struct
import time
import tracemalloc
from itertools import pairwise

import pytest
import tiny_gguf
import torch
from mutations import mutated, mutated_json
from safetensors.torch import save_file
from vidrt_reference.checkpoint.errors import CheckpointError
from vidrt_reference.checkpoint.gguf.header import read_gguf_header
from vidrt_reference.checkpoint.gguf.t5 import read_gguf_text_encoder
from vidrt_reference.checkpoint.stored import ITEM_BYTES, read_header, read_metadata

SEEDS, FILES = range(8), 250  # for each form of file
SECONDS, MEGABYTES = 5, 64
LONGEST_SENTENCE = 1500


@pytest.fixture(scope="module")
def gguf(tmp_path_factory):
    """A whole file, with its metadata, and the length of its header."""
    path = tmp_path_factory.mktemp("fuzz") / "t5.gguf"
    tiny_gguf.save(path, "Q8_0")
    return path.read_bytes(), min(tensor.offset for tensor in read_gguf_header(path).tensors.values())


@pytest.fixture(scope="module")
def safetensors(tmp_path_factory):
    """A whole file, and the length of its header."""
    path = tmp_path_factory.mktemp("fuzz") / "model.safetensors"
    values = {f"blocks.{number}.weight": torch.ones(number + 1, 3) for number in range(6)}
    save_file({**values, "half": torch.ones(5, dtype=torch.bfloat16)}, path, metadata={"format": "pt", "config": "{}"})
    content = path.read_bytes()
    return content, 8 + struct.unpack("<Q", content[:8])[0]


def attempt(read, path):
    """What a reader gives, or None where it refuses; anything else but a sentence within bounds fails."""
    tracemalloc.start()
    begin, found = time.process_time(), None
    try:
        found = read(path)
    except CheckpointError as error:
        told = str(error)
        assert len(told) < LONGEST_SENTENCE
        assert "\n" not in told
        assert told.endswith(".")
        assert path.name in told
    finally:
        seconds, (_, peak) = time.process_time() - begin, tracemalloc.get_traced_memory()
        tracemalloc.stop()
    assert seconds < SECONDS
    assert peak < MEGABYTES << 20
    return found


def check_places(tensors, path):
    """Every tensor lies in the file, and no two share a byte."""
    size = path.stat().st_size
    places = sorted((tensor.offset, tensor.offset + tensor.nbytes) for tensor in tensors if tensor.nbytes)
    assert all(0 <= begin < end <= size for begin, end in places)
    assert all(one[1] <= other[0] for one, other in pairwise(places))


@pytest.mark.parametrize("seed", SEEDS)
def test_gguf(gguf, seed, tmp_path):
    """Damage in the header of a GGUF file."""
    content, head = gguf
    rng, path, refused = random.Random(seed), tmp_path / "t5.gguf", 0
    for _ in range(FILES):
        path.write_bytes(mutated(content, rng, head))
        header = attempt(read_gguf_header, path)
        refused += header is None
        if header is not None:
            check_places(header.tensors.values(), path)
            for tensor in header.tensors.values():
                assert math.prod(tensor.shape) // tensor.type.count * tensor.type.nbytes == tensor.nbytes
            attempt(read_gguf_text_encoder, path)
    assert FILES / 4 < refused < FILES  # both ends are reached


@pytest.mark.parametrize("seed", SEEDS)
def test_safetensors(safetensors, seed, tmp_path):
    """Damage in the bytes of a safetensors header."""
    content, head = safetensors
    rng, path, refused = random.Random(seed), tmp_path / "model.safetensors", 0
    for _ in range(FILES):
        path.write_bytes(mutated(content, rng, head))
        refused += not read_all(path)
    assert FILES / 4 < refused < FILES


@pytest.mark.parametrize("seed", SEEDS)
def test_forged_safetensors(safetensors, seed, tmp_path):
    """A safetensors header that is whole JSON of the right length, with other values in it."""
    content, head = safetensors
    rng, path, refused = random.Random(seed), tmp_path / "model.safetensors", 0
    for _ in range(FILES):
        text = json.dumps(mutated_json(json.loads(content[8:head]), rng)).encode()
        path.write_bytes(struct.pack("<Q", len(text)) + text + content[head:])
        refused += not read_all(path)
    assert FILES / 4 < refused < FILES


def read_all(path):
    """Read header and metadata; whether the header was taken."""
    tensors = attempt(read_header, path)
    attempt(read_metadata, path)
    if tensors is None:
        return False
    check_places(tensors.values(), path)
    for tensor in tensors.values():
        assert math.prod(tensor.shape) * ITEM_BYTES[tensor.dtype] == tensor.nbytes
    return True


DEEP = 100_000
FORGED = {
    "brackets in brackets": b'{"a":' + b"[" * DEEP + b"]" * DEEP + b"}",
    "braces in braces": b'{"a":' * DEEP + b"1" + b"}" * DEEP,
    "an axis for each byte": b'{"a":{"dtype":"F32","shape":[' + b"9," * 4_000_000 + b'9],"data_offsets":[0,4]}}',
    "axes beyond all memory": b'{"a":{"dtype":"F32","shape":['
    + b"9223372036854775807," * 200_000
    + b'9],"data_offsets":[0,4]}}',
    "millions of empty lists": b'{"a":[' + b"[]," * 8_000_000 + b"[]]}",
    "a number of a million digits": b'{"a":{"dtype":"F32","shape":[' + b"9" * 10**6 + b'],"data_offsets":[0,4]}}',
    "a name of megabytes": b'{"' + b"a" * 5_000_000 + b'":{"dtype":"F32","shape":[1],"data_offsets":[0,8]}}',
    "a dtype of megabytes": b'{"a":{"dtype":"' + b"F" * 5_000_000 + b'","shape":[1],"data_offsets":[0,4]}}',
    "no UTF-8": b'{"\xff\xfe":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}',
}


@pytest.mark.parametrize("form", FORGED)
def test_forged_headers_that_grow(form, tmp_path):
    """Headers that would cost a parser its stack, its memory or its patience."""
    path = tmp_path / "model.safetensors"
    path.write_bytes(struct.pack("<Q", len(FORGED[form])) + FORGED[form] + bytes(4))
    assert attempt(read_header, path) is None
