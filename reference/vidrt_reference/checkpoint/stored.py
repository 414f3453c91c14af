"""The header of a safetensors file: where each tensor lies, without reading one."""

from __future__ import annotations

import json
import math
import reprlib
import struct
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

from vidrt_reference.checkpoint.errors import CheckpointError

if TYPE_CHECKING:
    from pathlib import Path

    from vidrt_reference.checkpoint.derived import Recipe

ITEM_BYTES = {
    **dict.fromkeys(("BOOL", "U8", "I8", "F8_E5M2", "F8_E4M3", "F8_E8M0", "F8_E5M2FNUZ", "F8_E4M3FNUZ"), 1),
    **dict.fromkeys(("U16", "I16", "F16", "BF16"), 2),
    **dict.fromkeys(("U32", "I32", "F32"), 4),
    **dict.fromkeys(("U64", "I64", "F64", "C64"), 8),
}
_LENGTH = struct.Struct("<Q")  # of the header, in front of it
_LONGEST_HEADER = 100_000_000  # the format's own limit
# A tensor has three brackets and some five commas; no checkpoint has a tenth as many tensors as this leaves room for.
_MOST_MARKS = 1 << 20
_LARGEST = 1 << 63  # what no size reaches
_MOST_AXES = 64  # as many as PyTorch has
_SHORT = reprlib.Repr()
_SHORT.maxstring = 200
_METADATA = "__metadata__"


@dataclass(frozen=True, kw_only=True)
class StoredTensor:
    """One tensor in a safetensors file: its name and dtype as the file spells them, and where its bytes lie.

    With a recipe it is a tensor made from others: `dtype`, `shape` and `nbytes` are then its own, and `path` and
    `offset` those of the first that it is made from.
    """

    name: str
    dtype: str
    shape: tuple[int, ...]
    path: Path
    offset: int  # from the start of the file
    nbytes: int
    recipe: Recipe | None = None


def read_header(path: Path) -> dict[str, StoredTensor]:
    """Read which tensors a safetensors file holds, and check that the file is whole.

    Raises:
        CheckpointError: the file is missing, no safetensors file, damaged or truncated, or has a dtype unknown here.
    """
    entries, start = _entries(path)
    tensors = {name: _stored(path, name, entry, start) for name, entry in entries.items()}
    _refuse_overlap(path, tensors)
    _refuse_other_size(path, tensors, start)
    return tensors


def read_metadata(path: Path) -> dict[str, str]:
    """Read the free text that a safetensors file carries besides its tensors; empty where it has none."""
    metadata = _header(path)[0].get(_METADATA) or {}
    if not isinstance(metadata, dict) or not all(isinstance(value, str) for value in metadata.values()):
        raise _damaged(path, f"its {_METADATA} is no table of strings")
    return {str(key): str(value) for key, value in metadata.items()}


def _entries(path: Path) -> tuple[dict[str, object], int]:
    header, start = _header(path)
    return {name: entry for name, entry in header.items() if name != _METADATA}, start


def _header(path: Path) -> tuple[dict[str, object], int]:
    """Return the header and the offset at which tensors begin."""
    if not path.is_file():
        raise CheckpointError(f"Expected a safetensors file at {path}, but there is none: check the path.")
    size = path.stat().st_size
    with path.open("rb") as file:
        prefix = file.read(_LENGTH.size + 1)
        if len(prefix) <= _LENGTH.size:
            raise _damaged(path, f"it has {size} bytes, too few for a header")
        (length,) = _LENGTH.unpack(prefix[: _LENGTH.size])
        if length > _LONGEST_HEADER or prefix[_LENGTH.size :] != b"{":
            raise CheckpointError(
                f"Expected a safetensors file at {path}, but it is something else: convert it or use another."
            )
        if length > size - _LENGTH.size:
            raise _truncated(path, f"at least {_LENGTH.size + length}", size)
        file.seek(_LENGTH.size)
        return _parsed(path, file.read(length)), _LENGTH.size + length


def _parsed(path: Path, text: bytes) -> dict[str, object]:
    if any(text.count(mark) > _MOST_MARKS for mark in (b"{", b"[", b",")):
        raise _damaged(path, "its header has more entries than any checkpoint")
    try:
        header = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise _damaged(path, "its header is not JSON, or too deep") from error
    if not isinstance(header, dict):
        raise _damaged(path, "its header is no JSON object")
    return header


def _stored(path: Path, name: str, entry: object, start: int) -> StoredTensor:
    told = _SHORT.repr(name)
    match entry:
        case {"dtype": str(dtype), "shape": [*shape], "data_offsets": [int(begin), int(end)]}:
            pass
        case _:
            raise _damaged(path, f"its entry for {told} lacks a dtype, a shape or two offsets")
    if len(shape) > _MOST_AXES or not all(type(size) is int and 0 <= size < _LARGEST for size in shape):
        raise _damaged(path, f"its entry for {told} has the shape {_SHORT.repr(shape)}")
    if dtype not in ITEM_BYTES:
        raise CheckpointError(
            f"Expected tensors of a known dtype in {path}, but {told} is {_SHORT.repr(dtype)}: "
            f"convert it to F32, F16 or BF16."
        )
    nbytes = math.prod(shape) * ITEM_BYTES[dtype]
    if not 0 <= begin < _LARGEST or end - begin != nbytes:
        needed, first, last, sizes = map(_SHORT.repr, (nbytes, begin, end, shape))
        raise _damaged(path, f"{told} of {dtype} and shape {sizes} needs {needed} bytes but lies at {first} to {last}")
    return StoredTensor(name=name, dtype=dtype, shape=tuple(shape), path=path, offset=start + begin, nbytes=nbytes)


def _refuse_overlap(path: Path, tensors: dict[str, StoredTensor]) -> None:
    for one, other in pairwise(sorted(tensors.values(), key=lambda tensor: (tensor.offset, tensor.nbytes))):
        if one.offset + one.nbytes > other.offset:
            raise _damaged(path, f"{_SHORT.repr(one.name)} and {_SHORT.repr(other.name)} overlap")


def _refuse_other_size(path: Path, tensors: dict[str, StoredTensor], start: int) -> None:
    wanted = max((tensor.offset + tensor.nbytes for tensor in tensors.values()), default=start)
    size = path.stat().st_size
    if size < wanted:
        raise _truncated(path, str(wanted), size)
    if size > wanted:
        raise _damaged(path, f"it has {size} bytes where its header accounts for {wanted}")


def _truncated(path: Path, wanted: str, size: int) -> CheckpointError:
    return CheckpointError(f"Expected {wanted} bytes in {path}, but it has {size}: it is truncated, download it again.")


def _damaged(path: Path, why: str) -> CheckpointError:
    return CheckpointError(f"Expected a whole safetensors file at {path}, but {why}: download or save it again.")
