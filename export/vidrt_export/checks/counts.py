"""What a component takes at any size, in memory and in operations, counted together at a few sizes."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from vidrt_engines.components import Signature
from vidrt_engines.memory import Activations
from vidrt_engines.names import Precision
from vidrt_engines.operations import Operations

from vidrt_export.checks.activations import activations, memory_products
from vidrt_export.checks.cost import costs
from vidrt_export.checks.growth import grown_sizes
from vidrt_export.checks.operations import operation_products, operations
from vidrt_export.part import Part, StagePart, as_arguments


@dataclass(frozen=True, kw_only=True)
class Counts:
    """What a run takes, for axes of any sizes."""

    activations: Activations
    operations: Operations


def counts_of(part: Part | StagePart, precision: Precision) -> Counts:
    """Counts runs at sizes like those of real videos, without memory.

    Args:
        part: the component or one of its stages.
        precision: in which its weights are kept.
    """
    grid = grown_sizes(part, max(len(memory_products(part)) + 1, len(operation_products(part))))
    counted = costs(part.make, [partial(empty_arguments, part.signature, sizes) for sizes in grid])
    return Counts(activations=activations(part, precision, grid, counted), operations=operations(part, grid, counted))


def empty_arguments(signature: Signature, sizes: Mapping[str, int]) -> dict[str, Any]:
    """A component's arguments at some sizes, their values whatever there is."""
    return as_arguments(
        {
            spec.name: torch.empty(
                [int(axis) if axis.isdigit() else sizes[axis] for axis in spec.axes],
                dtype=torch.int64 if spec.dtype == "int64" else torch.float32,
            )
            for spec in signature.inputs
        }
    )
