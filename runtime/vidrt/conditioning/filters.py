"""Blurring and resizing as PyTorch does them on the CPU, in fp32."""

import numpy as np
from numpy.typing import NDArray

from vidrt.arrays import FloatArray, IntArray

_SIDE = 3
_STRIP = 32  # rows blurred at a time: what they take in fp64 stays in the processor's cache


def blurred(image: FloatArray) -> FloatArray:
    """Blurs with a Gaussian of 3 × 3 and a sigma of 1, mirrored at the edges: (H, W, 3) to the same.

    Equal to torch's to the bit, for the result is cut to bytes: where it should be a whole number, as on slopes, the
    last bit decides. torch adds nine products row by row, each fused with its sum, which a sum in fp64 rounded to fp32
    stands for.
    """
    offsets = np.linspace(-1, 1, _SIDE, dtype=np.float32)
    line = np.exp(np.float32(-0.5) * offsets**2)
    line /= line.sum()
    weights = np.outer(line, line).astype(np.float64)
    padded = np.pad(image, ((1, 1), (1, 1), (0, 0)), mode="reflect")
    result = np.empty_like(image)
    for start in range(0, len(image), _STRIP):
        result[start : start + _STRIP] = _weighted(padded[start : start + _STRIP + _SIDE - 1], weights)
    return result


def _weighted(padded: FloatArray, weights: NDArray[np.float64]) -> FloatArray:
    """The sums of neighbours, of a strip (h + 2, W + 2, 3): (h, W, 3)."""
    wide = padded.astype(np.float64)
    height, width = (side - _SIDE + 1 for side in padded.shape[:2])
    total = np.zeros((height, width, padded.shape[2]), np.float32)
    for row, column in np.ndindex(_SIDE, _SIDE):
        total = (total + wide[row : row + height, column : column + width] * weights[row, column]).astype(np.float32)
    return total


def bilinear(image: FloatArray, size: tuple[int, int]) -> FloatArray:
    """Resizes (C, H, W) to (C, *size), pixels' corners on corners, without a filter against aliasing."""
    if image.shape[1:] == size:
        return image
    top, bottom, down = _neighbours(image.shape[1], size[0])
    left, right, across = _neighbours(image.shape[2], size[1])
    upper = _between(image[:, top][:, :, left], image[:, top][:, :, right], across)
    lower = _between(image[:, bottom][:, :, left], image[:, bottom][:, :, right], across)
    return _between(upper, lower, down[:, None])


def _between(first: FloatArray, second: FloatArray, share: FloatArray) -> FloatArray:
    blend: FloatArray = first * (np.float32(1) - share) + second * share
    return blend


def _neighbours(length: int, size: int) -> tuple[IntArray, IntArray, FloatArray]:
    """For each of `size` pixels the two that it lies between, and its share of the second.

    torch fuses the product with the difference, and what a rounding between would move a place by grows with it: on a
    side of 1920 to a thirtieth of a byte.
    """
    scale = np.float64(np.float32(length) / np.float32(size))
    place = np.maximum((scale * (np.arange(size) + 0.5) - 0.5).astype(np.float32), 0)
    before = np.minimum(place.astype(np.int64), length - 1)
    return before, np.minimum(before + 1, length - 1), (place - before).astype(np.float32)
