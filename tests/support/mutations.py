"""Damages bytes at random, from a seed, in the ways in which files are damaged and forged."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import random

# what a count, a length, a size or an offset is forged to
_EXTREMES = (
    0,
    1,
    2,
    7,
    31,
    32,
    127,
    255,
    2**16,
    2**31 - 1,
    2**31,
    2**32 - 1,
    2**40,
    2**62,
    2**63 - 1,
    2**63,
    2**64 - 1,
)
_VALUES: tuple[Any, ...] = (
    None, True, False, -1, 0, 1, 2**31, 2**63, 2**200, -(2**70), 1.5, 1e308, float("nan"), float("inf"), "", "F32",
    "\ud800", "é" * 50, [], [[]], [0] * 9, [2**64] * 5, [-1], {}, {"dtype": "F32"}, [1, 2], [2**63, 2**63 + 4],
)  # fmt: skip


def mutated(content: bytes, rng: random.Random, head: int) -> bytes:
    """Return a file with one to four kinds of damage, most of it in its first `head` bytes."""
    data = bytearray(content)
    for _ in range(rng.randint(1, 4)):
        rng.choice(_KINDS)(data, rng, min(head, len(data)))
    return bytes(data)


def mutated_json(value: Any, rng: random.Random) -> Any:
    """Return a tree of JSON in which one value in some tens is another."""
    if rng.random() < 0.03:
        return rng.choice(_VALUES)
    if isinstance(value, dict):
        return {_mutated_name(key, rng): mutated_json(entry, rng) for key, entry in value.items()}
    if isinstance(value, list):
        return [mutated_json(entry, rng) for entry in value]
    if isinstance(value, int) and rng.random() < 0.05:
        return value + rng.choice((-4, -1, 1, 4, 2**32, 2**63))
    return value


def _mutated_name(name: str, rng: random.Random) -> str:
    return rng.choice(("", "__metadata__", "a" * 9999, "\0", "dtype")) if rng.random() < 0.01 else name


def _flip(data: bytearray, rng: random.Random, head: int) -> None:
    if head:
        data[rng.randrange(head)] ^= 1 << rng.randrange(8)


def _overwrite(data: bytearray, rng: random.Random, head: int) -> None:
    at, form = rng.randrange(head + 1), rng.choice(("<I", "<Q"))
    new = struct.pack(form, rng.choice(_EXTREMES) & (2 ** (8 * struct.calcsize(form)) - 1))
    data[at : at + len(new)] = new


def _cut(data: bytearray, rng: random.Random, head: int) -> None:
    del data[rng.choice((rng.randrange(head + 1), rng.randrange(len(data) + 1))) :]


def _remove(data: bytearray, rng: random.Random, head: int) -> None:
    at = rng.randrange(head + 1)
    del data[at : at + rng.randint(1, 40)]


def _insert(data: bytearray, rng: random.Random, head: int) -> None:
    at = rng.randrange(head + 1)
    data[at:at] = rng.randbytes(rng.randint(1, 40))


def _repeat(data: bytearray, rng: random.Random, head: int) -> None:
    begin = rng.randrange(head + 1)
    piece = data[begin : begin + rng.randint(1, 200)]
    at = rng.randrange(head + 1)
    data[at:at] = piece


_KINDS = (_flip, _flip, _overwrite, _overwrite, _overwrite, _cut, _remove, _insert, _repeat)
