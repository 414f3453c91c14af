"""A component whose large matrices are whole numbers of 8 bits."""

import dataclasses
from collections.abc import Callable
from functools import partial

import torch
from torch import nn
from vidrt_engines.names import Component, Precision
from vidrt_engines.precisions import INT8
from vidrt_reference.checkpoint.errors import CheckpointError
from vidrt_reference.checkpoint.rounded import rounded
from vidrt_reference.int8 import linear_layers, to_int8

from vidrt_export.part import Part


def int8_precision(part: Part, stored: Precision, *, is_named: bool) -> Precision:
    """What a component is built in where int8 is asked for: one of convolutions as it is stored, unless it is named.

    Raises:
        CheckpointError: int8 was asked for a component that has none.
    """
    if part.component in INT8[part.family]:
        return Precision.INT8
    if is_named:
        raise CheckpointError(
            f"Expected a component of linear layers for int8, but the {part.component.spoken} is one of convolutions: "
            f"leave --precision out for it."
        )
    return stored


def in_int8(part: Part) -> Part:
    """The same component in whole numbers but for what its recipe keeps; no weight is read."""
    kept = INT8[part.family][Component(part.component)]
    with torch.device("meta"):
        layers = linear_layers(part.make(), kept)
    made = {
        f"{layer}.{piece}": stored
        for layer in layers
        for piece, stored in rounded(part.tensors[f"{layer}.weight"]).items()
    }
    whole = {f"{layer}.weight" for layer in layers}
    others = {name: stored for name, stored in part.tensors.items() if name not in whole}
    return dataclasses.replace(part, make=partial(_made, part.make, tuple(layers)), tensors={**others, **made})


def _made(make: Callable[[], nn.Module], layers: tuple[str, ...]) -> nn.Module:
    return to_int8(make(), layers)
