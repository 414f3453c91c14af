"""How the memory of a component's values grows with its axes."""

from collections.abc import Sequence

from vidrt_engines.axes import axes_of
from vidrt_engines.memory import Activations, Term
from vidrt_engines.names import Precision

from vidrt_export.checks.cost import Cost
from vidrt_export.checks.growth import BATCH, EACH, TEXT, TOKENS, Product, Sizes, first_axes, fitted, without_time
from vidrt_export.part import Part, StagePart

_HALVES = {Precision.FP16, Precision.BF16}
_FLOAT = 4


def memory_products(part: Part | StagePart) -> list[Product]:
    """The products that memory may grow with: all of the first input's axes, all but time, and what tokens do."""
    named, first = axes_of(part.signature), first_axes(part)
    products = [first, without_time(first)]
    if TOKENS in named:
        products += [(BATCH, TEXT), (BATCH, EACH)]
    elif TEXT in named:
        products += [(BATCH, TEXT, TEXT)]
    return [*dict.fromkeys(products), ()]


def activations(
    part: Part | StagePart, precision: Precision, grid: Sequence[Sizes], costs: Sequence[Cost]
) -> Activations:
    """Fits a sum of products of axes to what runs take.

    Args:
        part: the component or one of its stages.
        precision: in which its weights are kept.
        grid: the sizes that were counted.
        costs: what was counted at each.
    """
    products = memory_products(part)
    factors = fitted(products, grid, [cost.peak_bytes for cost in costs])
    terms = (Term(axes=axes, bytes=round(factor, 3)) for axes, factor in zip(products, factors, strict=True))
    widened = _FLOAT * max(cost.largest_weight for cost in costs) if precision in _HALVES else 0
    return Activations(terms=tuple(terms), widened=widened)
