"""Weights streamed from safetensors files into one file."""

import hashlib
from functools import partial

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from vidrt_engines.names import Precision
from vidrt_export.writing import weights
from vidrt_export.writing.weights import common_precision, hash_weights, kept_dtype, kept_dtypes, place, write_weights
from vidrt_reference.checkpoint.errors import CheckpointError
from vidrt_reference.checkpoint.stored import read_header

TYPES = {"F64": torch.float64, "F32": torch.float32, "F16": torch.float16, "BF16": torch.bfloat16}


def values(dtype=torch.float32):
    """Tensors small and large, of odd sizes, with no values and with no axes."""
    generator = torch.Generator().manual_seed(0)
    shapes = {"a": (3,), "b": (200, 101), "c": (), "d": (5, 7), "e": (0, 4), "f": (129, 128), "g": (1,)}
    return {name: torch.randn(shape, generator=generator).to(dtype) for name, shape in shapes.items()}


@pytest.fixture
def stored(tmp_path):
    """A function of tensors: where they lie in a safetensors file."""

    def save(tensors):
        save_file(tensors, tmp_path / "source.safetensors")
        return dict(sorted(read_header(tmp_path / "source.safetensors").items()))

    return save


@pytest.fixture
def written(tmp_path, stored):
    """A function of tensors and a precision: the file's bytes, where each tensor lies in it, and both hashes."""

    def write(tensors, precision):
        sources = stored(tensors)
        placed = place(sources, kept_dtypes(sources, precision))
        hashes = write_weights(tmp_path / "model.weights", sources, placed, lambda _: None)
        return (tmp_path / "model.weights").read_bytes(), placed, hashes

    return write


def read(content, placed):
    piece = bytearray(content[placed.offset : placed.offset + placed.nbytes])
    if not piece:
        return torch.empty(placed.shape, dtype=TYPES[placed.dtype])
    return torch.frombuffer(piece, dtype=TYPES[placed.dtype]).reshape(placed.shape)


@pytest.mark.parametrize(
    ("dtype", "precision"),
    [(torch.float32, Precision.FP32), (torch.float16, Precision.FP16), (torch.bfloat16, Precision.BF16)],
)
def test_the_same_type_keeps_its_bytes(written, dtype, precision):
    """Weights kept in their own type are the source's bytes."""
    tensors = values(dtype)
    content, placed, _ = written(tensors, precision)
    for name, tensor in tensors.items():
        wanted = tensor.contiguous().view(-1).view(torch.uint8).numpy().tobytes()
        assert content[placed[name].offset : placed[name].offset + placed[name].nbytes] == wanted, name


@pytest.mark.parametrize("piece", [64, 1 << 24])
@pytest.mark.parametrize(("precision", "kept"), [(Precision.FP16, "F16"), (Precision.BF16, "BF16")])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_narrowing_rounds_as_torch(written, monkeypatch, dtype, precision, kept, piece):
    """Wider weights are rounded to nearest, wherever pieces begin and end."""
    monkeypatch.setattr(weights, "PIECE", piece)
    tensors = values(dtype)
    content, placed, _ = written(tensors, precision)
    for name, tensor in tensors.items():
        assert placed[name].dtype == kept
        assert torch.equal(read(content, placed[name]), tensor.to(TYPES[kept])), name


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_fp32_is_fp32(written, dtype):
    """Asked for fp32, weights are widened or narrowed to it."""
    tensors = values(dtype)
    content, placed, _ = written(tensors, Precision.FP32)
    for name, tensor in tensors.items():
        assert torch.equal(read(content, placed[name]), tensor.float()), name


@pytest.mark.parametrize(
    ("stored_as", "precision", "kept"),
    [
        (torch.float16, Precision.BF16, "F16"),
        (torch.bfloat16, Precision.FP16, "BF16"),
        (torch.float32, Precision.FP16, "F16"),
        (torch.float64, Precision.FP32, "F32"),
    ],
)
def test_one_half_is_not_turned_into_the_other(stored, stored_as, precision, kept):
    """Weights of 16 bits stay as they are, since the other 16 bits would lose something and save nothing."""
    assert kept_dtype(stored({"a": torch.zeros(2, dtype=stored_as)})["a"], precision) == kept


@pytest.mark.parametrize("dtype", [torch.int8, torch.float8_e4m3fn])
def test_other_types_are_refused(stored, dtype):
    """A quantised weight is not taken for one."""
    with pytest.raises(CheckpointError, match=r"^a in .* is stored as \w+, which is not supported yet\.$"):
        kept_dtypes(stored({"a": torch.zeros(2).to(dtype)}), Precision.FP32)


@pytest.mark.parametrize(
    ("many", "few", "wanted"),
    [
        (torch.float32, torch.bfloat16, Precision.FP32),
        (torch.float16, torch.float32, Precision.FP16),
        (torch.bfloat16, torch.float32, Precision.BF16),
        (torch.float64, torch.float16, Precision.FP32),
    ],
)
def test_the_default_is_what_most_bytes_are(stored, many, few, wanted):
    """A few norms in another type do not decide the precision."""
    tensors = {"a": torch.zeros(100, dtype=many), **{f"b{n}": torch.zeros(1, dtype=few) for n in range(9)}}
    assert common_precision(stored(tensors)) is wanted


@pytest.mark.parametrize("precision", Precision)
def test_large_tensors_lie_on_pages(written, precision):
    """Tensors from 64 KiB begin on a page, others on a cache line; none overlap, and between them is nothing."""
    content, placed, _ = written(values(), precision)
    end, paged = 0, set()
    for name, tensor in placed.items():
        paged |= {name} if tensor.nbytes >= 1 << 16 else set()
        assert tensor.offset % (4096 if name in paged else 64) == 0
        assert tensor.offset - end in range(4096 if name in paged else 64)
        assert not any(content[end : tensor.offset])
        end = tensor.offset + tensor.nbytes
    assert len(content) == end
    assert paged == ({"b", "f"} if precision in {Precision.FP32, Precision.GGUF, Precision.INT8} else set())


@pytest.mark.parametrize("precision", Precision)
def test_hashes_are_of_the_source_and_of_the_file(written, stored, precision):
    """The first hash is what `hash_weights` says of the source, whatever is kept; the second is the file's."""
    content, _, (of_source, of_file) = written(values(), precision)
    assert of_source == hash_weights(stored(values()), lambda _: None)
    assert of_file == hashlib.sha256(content).hexdigest()


def test_the_hash_knows_names_types_shapes_and_values(stored):
    """Whatever differs between two sets of weights, their hashes differ."""
    one = torch.arange(6, dtype=torch.float32)
    variants = [
        {"a": one}, {"b": one}, {"a": one.reshape(2, 3)}, {"a": one + 1e-6}, {"a": one.view(torch.int32)},
        {"a": one[:3].clone(), "b": one[3:].clone()},
    ]  # fmt: skip
    hashes = {hash_weights(stored(tensors), lambda _: None) for tensors in variants}
    assert len(hashes) == len(variants)


@pytest.mark.parametrize("work", ["write", "hash"])
def test_progress_adds_up(tmp_path, stored, work):
    """What is told on the way is the size of the stored weights."""
    sources, told = stored(values()), []
    if work == "write":
        write_weights(tmp_path / "out", sources, place(sources, kept_dtypes(sources, Precision.FP16)), told.append)
    else:
        hash_weights(sources, told.append)
    assert sum(told) == sum(tensor.nbytes for tensor in sources.values()) > 0


@pytest.mark.parametrize("precision", [Precision.FP32, Precision.FP16])
@pytest.mark.parametrize("missing", [1, 3, 4, 2001])
def test_a_file_that_shrinks_meanwhile_is_told_so(tmp_path, stored, precision, missing):
    """A source cut off after its header was read gives one sentence, wherever the cut is."""
    sources = stored({"a": torch.randn(5000)})
    placed, path = place(sources, kept_dtypes(sources, precision)), sources["a"].path
    path.write_bytes(path.read_bytes()[:-missing])
    work = partial(write_weights, tmp_path / "out", sources, placed)
    for reading in (work, partial(hash_weights, sources)):
        with pytest.raises(CheckpointError, match=r"^.* ended while a was read: it has been changed meanwhile\.$"):
            reading(lambda _: None)


@pytest.mark.parametrize("value", [65520.0, -1e5, 3e38])
def test_values_beyond_fp16_are_refused(written, value):
    """A value that would become infinite is refused by name, with what to do."""
    tensors = {"a": torch.ones(3), "b": torch.tensor([1.0, value])}
    with pytest.raises(CheckpointError, match=r"^b has values that F16 cannot hold; .* --precision bf16 or fp32\.$"):
        written(tensors, Precision.FP16)


@pytest.mark.parametrize("value", [65504.0, 65519.0, 1e-10])
def test_values_that_round_are_kept(written, value):
    """The largest value of fp16, what rounds to it, and what vanishes, are no errors."""
    content, placed, _ = written({"a": torch.tensor([value])}, Precision.FP16)
    assert read(content, placed["a"]).item() == np.float16(value)


def test_bf16_holds_what_fp16_cannot(written):
    """The way out that the refusal names is one."""
    content, placed, _ = written({"a": torch.tensor([1e5, 3e38])}, Precision.BF16)
    assert torch.equal(read(content, placed["a"]), torch.tensor([1e5, 3e38]).bfloat16())
