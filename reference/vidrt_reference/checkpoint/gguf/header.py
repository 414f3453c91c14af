"""The header of a GGUF file: its metadata and where each tensor lies, without reading one."""

from __future__ import annotations

import math
import reprlib
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

from vidrt_reference.checkpoint.errors import CheckpointError
from vidrt_reference.checkpoint.gguf.cursor import Cursor
from vidrt_reference.checkpoint.gguf.types import TYPES

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from vidrt_reference.checkpoint.gguf.types import GgufType

_MAGIC = b"GGUF"
_VERSIONS = (2, 3)
_ALIGNMENT, _DEFAULT_ALIGNMENT, _LARGEST_ALIGNMENT = "general.alignment", 32, 1 << 20
_MOST_AXES = 4
_LONGEST_NAME = 256  # the format wants 64 bytes at most for a tensor's, and files go beyond that


@dataclass(frozen=True, kw_only=True)
class GgufTensor:
    """One tensor in a GGUF file, its axes as PyTorch counts them: the last one's numbers lie together."""

    name: str
    type: GgufType
    shape: tuple[int, ...]
    path: Path
    offset: int  # from the start of the file
    nbytes: int


@dataclass(frozen=True, kw_only=True)
class GgufHeader:
    """What a GGUF file says of itself; arrays in its metadata are left out."""

    path: Path
    metadata: Mapping[str, object]
    tensors: Mapping[str, GgufTensor]


def read_gguf_header(path: Path) -> GgufHeader:
    """Read a GGUF file's metadata and which tensors it holds, and check that the file is whole.

    Raises:
        CheckpointError: the file is missing, no GGUF file of a version known here, damaged or truncated, or has a
            tensor of a type unknown here.
    """
    if not path.is_file():
        raise CheckpointError(f"Expected a GGUF file at {path}, but there is none: check the path.")
    cursor = Cursor(path)
    _check_format(cursor)
    tensor_count, value_count = cursor.u64(), cursor.u64()
    metadata = _metadata(cursor, value_count)
    infos = _infos(cursor, tensor_count)
    start = _aligned(cursor.at, _alignment(cursor, metadata))
    tensors = {name: _placed(cursor, name, info, start) for name, info in infos.items()}
    _refuse_overlap(cursor, tensors)
    return GgufHeader(path=path, metadata=metadata, tensors=tensors)


def _check_format(cursor: Cursor) -> None:
    if cursor.size < len(_MAGIC) or cursor.take(len(_MAGIC)) != _MAGIC:
        raise CheckpointError(f"Expected a GGUF file at {cursor.path}, but it is something else: use another.")
    version = cursor.u32()
    if version not in _VERSIONS:
        of = "for machines of the other byte order" if version and not version & 0xFFFF else f"of version {version}"
        raise CheckpointError(f"Expected GGUF version 2 or 3 in {cursor.path}, but it is {of}: convert it again.")


def _metadata(cursor: Cursor, count: int) -> dict[str, object]:
    found: dict[str, object] = {}
    for _ in range(min(count, cursor.size)):  # each takes several bytes, so the end comes before a count that lies
        key = cursor.text(_LONGEST_NAME)
        if key in found:
            raise cursor.damaged(f"its metadata has {key!r} twice")
        found[key] = cursor.value()
    return {key: value for key, value in found.items() if value is not None}


def _infos(cursor: Cursor, count: int) -> dict[str, tuple[tuple[int, ...], int, int]]:
    """For each tensor's name its shape, its type's number, and its place among the tensors."""
    found: dict[str, tuple[tuple[int, ...], int, int]] = {}
    for _ in range(min(count, cursor.size)):
        name, axes = cursor.text(_LONGEST_NAME), cursor.u32()
        if name in found:
            raise cursor.damaged(f"it has {name!r} twice")
        if not 1 <= axes <= _MOST_AXES:
            raise cursor.damaged(f"{name!r} has {axes} axes")
        shape = tuple(cursor.u64() for _ in range(axes))[::-1]
        found[name] = (shape, cursor.u32(), cursor.u64())
    return found


def _alignment(cursor: Cursor, metadata: Mapping[str, object]) -> int:
    value = metadata.get(_ALIGNMENT, _DEFAULT_ALIGNMENT)
    if type(value) is not int or not 1 <= value <= _LARGEST_ALIGNMENT or value & (value - 1):
        raise cursor.damaged(f"its {_ALIGNMENT} is {reprlib.repr(value)}, no power of two")
    return value


def _aligned(at: int, unit: int) -> int:
    return -(-at // unit) * unit


def _placed(cursor: Cursor, name: str, info: tuple[tuple[int, ...], int, int], start: int) -> GgufTensor:
    shape, number, offset = info
    if number not in TYPES:
        raise CheckpointError(
            f"Expected tensors of {', '.join(kind.name for kind in TYPES.values())} in {cursor.path}, but {name!r} is "
            f"of type {number}: use a file that is quantised otherwise."
        )
    kind = TYPES[number]
    if not math.prod(shape) or shape[-1] % kind.count:
        raise cursor.damaged(f"{name!r} of {kind.name} has the shape {list(shape)}")
    nbytes = math.prod(shape) // kind.count * kind.nbytes
    if start + offset + nbytes > cursor.size:
        raise CheckpointError(
            f"Expected {start + offset + nbytes} bytes in {cursor.path} for {name!r}, but it has {cursor.size}: "
            f"it is truncated or damaged, download it again."
        )
    return GgufTensor(name=name, type=kind, shape=shape, path=cursor.path, offset=start + offset, nbytes=nbytes)


def _refuse_overlap(cursor: Cursor, tensors: Mapping[str, GgufTensor]) -> None:
    for one, other in pairwise(sorted(tensors.values(), key=lambda tensor: tensor.offset)):
        if one.offset + one.nbytes > other.offset:
            raise cursor.damaged(f"{one.name!r} and {other.name!r} overlap")
