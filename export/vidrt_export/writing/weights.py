"""Weights streamed from a checkpoint into the one file beside a graph, a piece at a time."""

import hashlib
import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

import torch
from vidrt_engines.names import Precision
from vidrt_reference.checkpoint.errors import CheckpointError
from vidrt_reference.checkpoint.read import read_tensor
from vidrt_reference.checkpoint.stored import StoredTensor
from vidrt_reference.lora.merged import Merged

PIECE = 1 << 22
PAGE, LINE = 4096, 64
PAGED_FROM = 1 << 16

TORCH_TYPES = {"F64": torch.float64, "F32": torch.float32, "F16": torch.float16, "BF16": torch.bfloat16}
ITEM_BYTES = {**{name: dtype.itemsize for name, dtype in TORCH_TYPES.items()}, "U8": 1, "I8": 1}
_ROUNDED = "I8"
STORED_AS = {Precision.FP32: "F32", Precision.FP16: "F16", Precision.BF16: "BF16"}


@dataclass(frozen=True, kw_only=True)
class Placed:
    """Where a tensor lies in the weights file, in the safetensors name of its type."""

    dtype: str
    shape: tuple[int, ...]
    offset: int
    nbytes: int


def place(tensors: Mapping[str, StoredTensor], dtypes: Mapping[str, str]) -> dict[str, Placed]:
    """Lays tensors out in a file, each in the type named for it: large ones on pages, so that they map alone."""
    placed, end = {}, 0
    for name, tensor in tensors.items():
        dtype = dtypes[name]
        nbytes = tensor.nbytes // ITEM_BYTES[tensor.dtype] * ITEM_BYTES[dtype]
        unit = PAGE if nbytes >= PAGED_FROM else LINE
        offset = -(-end // unit) * unit
        placed[name] = Placed(dtype=dtype, shape=tensor.shape, offset=offset, nbytes=nbytes)
        end = offset + nbytes
    return placed


def size_of(placed: Mapping[str, Placed]) -> int:
    """The size of the file in which tensors are so laid out."""
    return max((one.offset + one.nbytes for one in placed.values()), default=0)


def kept_dtypes(tensors: Mapping[str, StoredTensor], precision: Precision) -> dict[str, str]:
    """The type in which each stored tensor is kept.

    Raises:
        CheckpointError: one is stored in a type that is no floating point number of 16 bits or more.
    """
    return {name: kept_dtype(tensor, precision) for name, tensor in tensors.items()}


def kept_dtype(tensor: StoredTensor, precision: Precision) -> str:
    """The type in which a stored tensor is kept: its own where that is as narrow, since widening adds nothing.

    What comes out of a GGUF file's blocks is kept as it is, whole numbers included, and in int8 all but what has been
    rounded for it.

    Raises:
        CheckpointError: it is stored in a type that is no floating point number of 16 bits or more.
    """
    if precision is Precision.GGUF or (precision is Precision.INT8 and tensor.dtype == _ROUNDED):
        return tensor.dtype
    if tensor.dtype not in TORCH_TYPES:
        raise CheckpointError(
            f"{tensor.name} in {tensor.path} is stored as {tensor.dtype}, which is not supported yet."
        )
    wanted = STORED_AS.get(precision, tensor.dtype)
    return (
        wanted
        if TORCH_TYPES[tensor.dtype].itemsize > TORCH_TYPES[wanted].itemsize or precision is Precision.FP32
        else tensor.dtype
    )


def common_precision(tensors: Mapping[str, StoredTensor]) -> Precision:
    """The type in which most of the weights are stored."""
    totals = dict.fromkeys(STORED_AS, 0)
    for tensor in tensors.values():
        precision = next((p for p, dtype in STORED_AS.items() if dtype == tensor.dtype), Precision.FP32)
        totals[precision] += tensor.nbytes
    return max(totals, key=lambda precision: totals[precision])


def write_weights(
    path: Path, tensors: Mapping[str, StoredTensor], placed: Mapping[str, Placed], advance: Callable[[int], None]
) -> tuple[str, str]:
    """Writes the weights file.

    Args:
        path: where to.
        tensors: what to write, by name.
        placed: where, by name.
        advance: told how many stored bytes have been dealt with.

    Returns:
        The hash of the stored weights, and that of the file.

    Raises:
        CheckpointError: a value does not fit its narrower type.
    """
    source, written = hashlib.sha256(), hashlib.sha256()
    with path.open("wb") as file:
        for name in tensors:
            gap = bytes(placed[name].offset - file.tell())
            for piece in chain((gap,), _pieces(name, tensors[name], placed[name].dtype, source, advance)):
                file.write(piece)
                written.update(piece)
        file.flush()
        os.fsync(file.fileno())
    return source.hexdigest(), written.hexdigest()


def hash_weights(tensors: Mapping[str, StoredTensor], advance: Callable[[int], None]) -> str:
    """The hash that `write_weights` gives, without writing."""
    digest = hashlib.sha256()
    for name, tensor in tensors.items():
        _hash(digest, name, tensor, advance)
    return digest.hexdigest()


def _hash(digest: "hashlib._Hash", name: str, tensor: StoredTensor, advance: Callable[[int], None]) -> None:
    """Adds a tensor to a hash: what one with LoRAs in it is made from, so that it need not be made."""
    _describe(digest, name, tensor)
    if isinstance(tensor.recipe, Merged):
        for told, ingredient in tensor.recipe.ingredients():
            _hash(digest, told, ingredient, _tell_nobody)
        advance(tensor.nbytes)
        return
    for piece in _read(tensor):
        digest.update(piece)
        advance(len(piece))


def _describe(digest: "hashlib._Hash", name: str, tensor: StoredTensor) -> None:
    digest.update(f"{name} {tensor.dtype} {tensor.shape}\n".encode())


def _tell_nobody(count: int) -> None:
    """A progress that nobody follows."""


def _pieces(
    name: str, tensor: StoredTensor, dtype: str, source: "hashlib._Hash", advance: Callable[[int], None]
) -> Iterator[bytearray | memoryview]:
    is_merged = isinstance(tensor.recipe, Merged)
    if is_merged:
        _hash(source, name, tensor, _tell_nobody)
    else:
        _describe(source, name, tensor)
    for piece in _read(tensor):
        if not is_merged:
            source.update(piece)
        yield piece if dtype == tensor.dtype else _converted(piece, tensor, dtype)
        advance(len(piece))


def _read(tensor: StoredTensor) -> Iterator[bytearray]:
    if tensor.recipe is not None:
        yield bytearray(memoryview(read_tensor(tensor).reshape(-1).view(torch.uint8).numpy()))  # type: ignore[arg-type]
        return
    remaining = tensor.nbytes
    with tensor.path.open("rb") as file:
        file.seek(tensor.offset)
        while remaining:
            piece = bytearray(min(PIECE, remaining))
            if file.readinto(piece) < len(piece):  # a buffered file fills the piece unless it ends
                raise CheckpointError(
                    f"{tensor.path} ended while {tensor.name} was read: it has been changed meanwhile."
                )
            yield piece
            remaining -= len(piece)


def _converted(piece: bytearray, tensor: StoredTensor, dtype: str) -> memoryview:
    values = torch.frombuffer(piece, dtype=TORCH_TYPES[tensor.dtype])
    narrow = values.to(TORCH_TYPES[dtype])
    if not bool(torch.isfinite(narrow).all()) and bool(torch.isfinite(values).all()):
        raise CheckpointError(
            f"{tensor.name} has values that {dtype} cannot hold; build with --precision bf16 or fp32."
        )
    return memoryview(narrow.contiguous().view(torch.uint8).numpy())  # type: ignore[arg-type]  # arrays are buffers
