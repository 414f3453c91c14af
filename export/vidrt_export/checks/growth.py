"""How what a component takes grows with its axes: sizes to count it at, and a sum of products fitted to the counts."""

import math
from collections.abc import Mapping, Sequence

import torch
from vidrt_engines.axes import axes_of

from vidrt_export.part import Part, StagePart

TIMES = ("latent_frames", "frames")
TOKENS, TEXT, EACH, KEPT, BATCH = "tokens", "text_tokens", "timestep_tokens", "kept_", "batch"
# How many times the sizes of tracing: time, space, tokens, and text, each grown alone and with others. The smallest are
# those of a short preview already: below, other operators make the peak of memory.
_GROWTH = ((6, 2, 80, 16), (12, 2, 80, 32), (6, 4, 160, 16), (6, 6, 320, 48), (12, 4, 640, 16), (18, 6, 1280, 48))

Product = tuple[str, ...]
Sizes = dict[str, int]


def grown_sizes(part: Part | StagePart, count: int) -> list[Sizes]:
    """Sizes of every axis like those of real videos, at most so many and no two alike."""
    sizes = {axis: part.sizes.get(axis, 1) for axis in axes_of(part.signature)}
    grown = (_grown(sizes, *growth, each=number % 2 == 1) for number, growth in enumerate(_GROWTH))
    return list({tuple(one.items()): one for one in grown}.values())[:count]


def fitted(products: Sequence[Product], grid: Sequence[Sizes], counts: Sequence[int]) -> list[float]:
    """What each product is to be multiplied with, so that their sum is what was counted.

    The least squares of relative errors, so that small videos count as much as large ones.
    """
    columns = torch.tensor(
        [[size_of(product, sizes) for product in products] for sizes in grid], dtype=torch.float64
    ) / torch.tensor(counts, dtype=torch.float64).unsqueeze(1)
    scale = columns.abs().amax(0)
    solved = torch.linalg.lstsq(columns / scale, torch.ones(len(counts), 1, dtype=torch.float64), driver="gelsd")
    factors: list[float] = (solved.solution.squeeze(1) / scale).tolist()
    return factors


def size_of(product: Product, sizes: Mapping[str, int]) -> int:
    """A product of axes at some sizes."""
    return math.prod(sizes[axis] for axis in product)


def first_axes(part: Part | StagePart) -> Product:
    """The named axes of what goes through a component."""
    return tuple(axis for axis in part.signature.inputs[0].axes if not axis.isdigit())


def without_time(axes: Product) -> Product:
    """The same axes but for that of frames."""
    return tuple(axis for axis in axes if axis not in TIMES)


def _grown(sizes: Mapping[str, int], time: int, space: int, tokens: int, text: int, *, each: bool) -> Sizes:
    """Sizes of one item; `each` gives every token a timestep of its own."""
    grown = {BATCH: 1}
    is_between = any(axis.startswith(KEPT) for axis in sizes)
    for axis, size in sizes.items():
        if axis in TIMES:
            # a video's first frame stands by itself, and a stage between two chunks has none
            grown[axis] = size * time if is_between else (size - 1) * time + 1
        elif axis == TEXT:
            grown[axis] = size * text
        elif axis == TOKENS:
            grown[axis] = size * tokens
        elif axis.startswith(KEPT):
            grown[axis] = size
        elif axis not in {BATCH, EACH}:
            grown[axis] = size * space
    if EACH in sizes:
        grown[EACH] = grown[TOKENS] if each else 1
    return grown
