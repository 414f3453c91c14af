"""Blurring and resizing as PyTorch does them on the CPU, in fp32."""

import numpy as np

from vidrt.arrays import FloatArray


def blurred(image: FloatArray) -> FloatArray:
    """Blurs with a Gaussian of 3 × 3 and a sigma of 1, mirrored at the edges: (H, W, 3) to the same."""
    offsets = np.linspace(-1, 1, 3, dtype=np.float32)
    line = np.exp(np.float32(-0.5) * offsets**2)
    line /= line.sum()
    weights = np.outer(line, line)
    height, width = image.shape[:2]
    padded = np.pad(image, ((1, 1), (1, 1), (0, 0)), mode="reflect")
    total = np.zeros_like(image)
    for row in range(3):
        for column in range(3):
            total += weights[row, column] * padded[row : row + height, column : column + width]
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


def _neighbours(length: int, size: int) -> tuple[FloatArray, FloatArray, FloatArray]:
    scale = np.float32(length) / np.float32(size)
    place = np.maximum(scale * (np.arange(size, dtype=np.float32) + np.float32(0.5)) - np.float32(0.5), 0)
    before = np.minimum(place.astype(np.int64), length - 1)
    return before, np.minimum(before + 1, length - 1), (place - before).astype(np.float32)
