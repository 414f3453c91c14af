"""How the floating-point operations of a component grow with its axes."""

from collections.abc import Sequence

from vidrt_engines.axes import axes_of
from vidrt_engines.names import Component, Family
from vidrt_engines.operations import Operations, OperationTerm

from vidrt_export.checks.cost import Cost
from vidrt_export.checks.growth import (
    BATCH,
    EACH,
    TEXT,
    TIMES,
    TOKENS,
    Product,
    Sizes,
    first_axes,
    fitted,
    size_of,
    without_time,
)
from vidrt_export.part import Part, StagePart

_DIGITS = 10
_TINY = 1e-9  # what is left of a product that counts for nothing


def operation_products(part: Part | StagePart) -> list[Product]:
    """The products that operations grow with; each has the batch, whose items are computed one like the other."""
    named, first = axes_of(part.signature), first_axes(part)
    if TOKENS in named:
        return [(BATCH, TOKENS), (BATCH, TOKENS, TOKENS), (BATCH, TEXT), (BATCH, TOKENS, TEXT), (BATCH, EACH)]
    if TEXT in named:
        return [(BATCH, TEXT), (BATCH, TEXT, TEXT)]
    return list(dict.fromkeys([first, *_of_attention(part, first), without_time(first), (BATCH,)]))


def _of_attention(part: Part | StagePart, first: Product) -> list[Product]:
    """Those of Stable Video Diffusion: from each place of a frame to every other, from each frame to every other."""
    if isinstance(part, StagePart) or part.family is not Family.SVD:
        return []
    space = tuple(axis for axis in first if axis not in {BATCH, *TIMES})
    products = [(*first, *space)] if space else []
    if part.component is Component.UNET:
        time = next(axis for axis in first if axis in TIMES)
        products += [(*first, time), (BATCH, time)]
    return products


def operations(part: Part | StagePart, grid: Sequence[Sizes], costs: Sequence[Cost]) -> Operations:
    """Finds the sum of products of axes that is what runs were counted to take.

    Args:
        part: the component or one of its stages.
        grid: the sizes that were counted.
        costs: what was counted at each.
    """
    products, counts = operation_products(part), [cost.flops for cost in costs]
    if not any(counts):
        return Operations(terms=())
    pairs = zip(products, fitted(products, grid, counts), strict=True)
    terms = (
        OperationTerm(axes=axes, flops=float(f"{factor:.{_DIGITS}g}"))
        for axes, factor in pairs
        if max(abs(factor) * size_of(axes, sizes) / count for sizes, count in zip(grid, counts, strict=True)) > _TINY
    )
    return Operations(terms=tuple(terms))
