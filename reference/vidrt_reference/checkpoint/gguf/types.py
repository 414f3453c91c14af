"""The types of GGUF's tensors that are known here: how many numbers a block holds, in how many bytes, and how."""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType

from vidrt_reference.quantised import BlockForm


@dataclass(frozen=True, kw_only=True)
class GgufType:
    """A type of tensors: `count` numbers lie in `nbytes` bytes. Quantised ones have a form, others a dtype."""

    name: str
    count: int
    nbytes: int
    dtype: str | None = None
    form: BlockForm | None = None


def _quantised(name: str, count: int, nbytes: int, **form: int | bool) -> GgufType:
    return GgufType(name=name, count=count, nbytes=nbytes, form=BlockForm(**form))  # type: ignore[arg-type]


# by the number that a file has for it
TYPES = MappingProxyType({
    0: GgufType(name="F32", count=1, nbytes=4, dtype="F32"),
    1: GgufType(name="F16", count=1, nbytes=2, dtype="F16"),
    30: GgufType(name="BF16", count=1, nbytes=2, dtype="BF16"),
    2: _quantised("Q4_0", 32, 18, block=32),
    3: _quantised("Q4_1", 32, 20, block=32, zero=0, has_min=True),
    6: _quantised("Q5_0", 32, 22, block=32, planes=2),
    7: _quantised("Q5_1", 32, 24, block=32, planes=2, has_min=True),
    8: _quantised("Q8_0", 32, 34, block=32, planes=2),
    10: _quantised("Q2_K", 256, 84, block=16, has_min=True, group=16),
    11: _quantised("Q3_K", 256, 110, block=16, group=16),
    12: _quantised("Q4_K", 256, 144, block=32, zero=0, has_min=True, group=8),
    13: _quantised("Q5_K", 256, 176, block=32, planes=2, has_min=True, group=8),
    14: _quantised("Q6_K", 256, 210, block=16, planes=2, group=16),
})  # fmt: skip
