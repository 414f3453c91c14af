"""Weights in 8 bits: multiplied by the scales that lie beside them, or taken as they are."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from vidrt_reference.checkpoint.derived import scaled, widened
from vidrt_reference.checkpoint.errors import CheckpointError
from vidrt_reference.checkpoint.keys import some

if TYPE_CHECKING:
    from collections.abc import Mapping

    from vidrt_reference.checkpoint.stored import StoredTensor

_WEIGHT = "weight"
_SCALES = ("weight_scale", "scale_weight")
# How activations are quantised, which nothing here does, and the mark by which one program knows its files.
_UNUSED = ("input_scale", "scale_input")
_MARK = "scaled_fp8"


@dataclass(frozen=True, kw_only=True)
class Widened:
    """Tensors of which none is in 8 bits.

    Attributes:
        tensors: by name.
        unscaled: the names of those that were in 8 bits without a scale.
    """

    tensors: dict[str, StoredTensor]
    unscaled: tuple[str, ...]

    def note(self, what: str) -> str | None:
        """A sentence about weights that had no scale, which may be missing; None where there are none."""
        if not self.unscaled:
            return None
        return (
            f"{len(self.unscaled)} of the {what}'s weights are stored in 8 bits without a scale "
            f"({some(self.unscaled)}) and are cast."
        )


def in_sixteen_bits(stored: Mapping[str, StoredTensor]) -> Widened:
    """Turn what is stored in 8 bits into bfloat16, which holds every such number; the rest stays as it is.

    Raises:
        CheckpointError: a scale has no weight in 8 bits beside it, or fits it not.
    """
    found, scales = {}, {}
    for name, tensor in stored.items():
        module, _, leaf = name.rpartition(".")
        if leaf in _SCALES:
            weight = f"{module}.{_WEIGHT}"
            _check_scale(tensor, stored.get(weight))
            scales[weight] = tensor
        elif leaf not in _UNUSED and leaf != _MARK:
            found[name] = tensor
    narrow = {name: tensor for name, tensor in found.items() if tensor.dtype.startswith("F8_")}
    wide = {
        name: scaled(tensor, scales[name]) if name in scales else widened(tensor) for name, tensor in narrow.items()
    }
    return Widened(tensors={**found, **wide}, unscaled=tuple(name for name in narrow if name not in scales))


def _check_scale(scale: StoredTensor, weight: StoredTensor | None) -> None:
    if weight is None or not weight.dtype.startswith("F8_"):
        came = "there is none" if weight is None else f"it is {weight.dtype}"
        raise CheckpointError(
            f"Expected a weight in 8 bits beside {scale.name}, but {came}: the file is damaged or of another kind."
        )
    if math.prod(scale.shape) not in {1, weight.shape[0]}:
        raise CheckpointError(
            f"Expected {scale.name} to be one number or {weight.shape[0]}, one for each row, but its shape is "
            f"{list(scale.shape)}: use a file with another kind of scales."
        )
