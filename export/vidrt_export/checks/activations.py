"""How the memory of a component's values grows with its axes, counted without memory at a few sizes."""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import torch
from vidrt_engines.axes import axes_of
from vidrt_engines.components import Signature
from vidrt_engines.memory import Activations, Term
from vidrt_engines.names import Precision

from vidrt_export.checks.cost import peak_bytes
from vidrt_export.part import Part, StagePart, as_arguments

_TIMES, _KEPT = ("latent_frames", "frames"), "kept_"
_HALVES = {Precision.FP16, Precision.BF16}
_FLOAT = 4
_TOKENS, _TEXT, _EACH = "tokens", "text_tokens", "timestep_tokens"
# How many times the sizes of tracing: time, space, tokens, and text, each grown alone and with others. The smallest are
# those of a short preview already: below, other operators make the peak.
_GROWTH = ((6, 2, 80, 16), (12, 2, 80, 32), (6, 4, 160, 16), (6, 6, 320, 32), (12, 4, 640, 16), (18, 6, 1280, 48))


def activations_of(part: Part | StagePart, precision: Precision) -> Activations:
    """Fits a sum of products of axes to what a run takes at sizes like those of real videos.

    Args:
        part: the component or one of its stages.
        precision: in which its weights are kept.
    """
    signature = part.signature
    products = _products(signature)
    sizes = {axis: part.sizes.get(axis, 1) for axis in axes_of(signature)}
    grid = [_grown(sizes, *growth, each=number % 2 == 1) for number, growth in enumerate(_GROWTH[: len(products) + 1])]
    peaks, largest = peak_bytes(part.make, [partial(_arguments, signature, sizes) for sizes in grid])
    widened = _FLOAT * largest if precision in _HALVES else 0
    return Activations(terms=_fitted(products, grid, peaks), widened=widened)


def _products(signature: Signature) -> list[tuple[str, ...]]:
    """The products that memory may grow with: all of the first input's axes, all but time, and what tokens do."""
    named = axes_of(signature)
    first = tuple(axis for axis in signature.inputs[0].axes if not axis.isdigit())
    products = [first, tuple(axis for axis in first if axis not in _TIMES)]
    if _TOKENS in named:
        products += [("batch", _TEXT), ("batch", _EACH)]
    elif _TEXT in named:
        products += [("batch", _TEXT, _TEXT)]
    return [*dict.fromkeys(products), ()]


def _grown(sizes: Mapping[str, int], time: int, space: int, tokens: int, text: int, *, each: bool) -> dict[str, int]:
    """Sizes of one item; `each` gives every token a timestep of its own."""
    grown = {"batch": 1}
    is_between = any(axis.startswith(_KEPT) for axis in sizes)
    for axis, size in sizes.items():
        if axis in _TIMES:
            # a video's first frame stands by itself, and a stage between two chunks has none
            grown[axis] = size * time if is_between else (size - 1) * time + 1
        elif axis == _TEXT:
            grown[axis] = size * text
        elif axis == _TOKENS:
            grown[axis] = size * tokens
        elif axis.startswith(_KEPT):
            grown[axis] = size
        elif axis not in {"batch", _EACH}:
            grown[axis] = size * space
    if _EACH in sizes:
        grown[_EACH] = grown[_TOKENS] if each else 1
    return grown


def _arguments(signature: Signature, sizes: Mapping[str, int]) -> dict[str, Any]:
    return as_arguments(
        {
            spec.name: torch.empty(
                [int(axis) if axis.isdigit() else sizes[axis] for axis in spec.axes],
                dtype=torch.int64 if spec.dtype == "int64" else torch.float32,
            )
            for spec in signature.inputs
        }
    )


def _fitted(
    products: Sequence[tuple[str, ...]], grid: Sequence[Mapping[str, int]], peaks: Sequence[int]
) -> tuple[Term, ...]:
    """The least squares of relative errors, so that small videos count as much as large ones."""
    columns = torch.tensor(
        [[_product(product, sizes) for product in products] for sizes in grid], dtype=torch.float64
    ) / torch.tensor(peaks, dtype=torch.float64).unsqueeze(1)
    scale = columns.abs().amax(0)
    solved = torch.linalg.lstsq(columns / scale, torch.ones(len(peaks), 1, dtype=torch.float64), driver="gelsd")
    factors = (solved.solution.squeeze(1) / scale).tolist()
    return tuple(Term(axes=axes, bytes=round(factor, 3)) for axes, factor in zip(products, factors, strict=True))


def _product(axes: Sequence[str], sizes: Mapping[str, int]) -> float:
    return float(torch.tensor([sizes[axis] for axis in axes], dtype=torch.float64).prod())
