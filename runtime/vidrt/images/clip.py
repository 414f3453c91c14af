"""Pictures as CLIP's image encoder takes them in Stable Video Diffusion.

diffusers blurs each axis with a Gaussian, mirroring the picture at its edges, and then resizes bicubically between
aligned corners. Both are weighted sums along one axis, so here they are one matrix for each axis, and only the few
blurred values that the bicubic filter looks at are ever computed.
"""

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from vidrt.arrays import ByteArray, FloatArray
from vidrt.images.resize import signed

SIZE = 224
MEAN = (0.48145466, 0.4578275, 0.40821073)
STD = (0.26862954, 0.26130258, 0.27577711)
_CUBIC = -0.75
_STRIP = 64  # rows converted at a time

Weights = NDArray[np.float64]


def clip_pixels(
    image: ByteArray, size: int = SIZE, mean: Sequence[float] = MEAN, std: Sequence[float] = STD
) -> FloatArray:
    """Resizes a picture to CLIP's square, whatever its shape, and normalises it.

    Args:
        image: RGB (H, W, 3), at least 2 × 2.
        size: the side of the square.
        mean: of each channel, of values in [0, 1].
        std: likewise.

    Returns:
        (1, 3, size, size) fp32.

    Source: `_resize_with_antialiasing` and `_encode_image` of diffusers' StableVideoDiffusionPipeline.
    """
    resized = resize_antialiased(image, size)
    unit = (resized + np.float32(1)) / np.float32(2)
    centre, spread = (np.array(values, np.float32).reshape(1, 3, 1, 1) for values in (mean, std))
    return np.asarray((unit - centre) / spread)


def resize_antialiased(image: ByteArray, size: int = SIZE) -> FloatArray:
    """RGB (H, W, 3) to (1, 3, size, size) about in [-1, 1], blurred as far as it shrinks."""
    height, width = image.shape[:2]
    rows = _summed(resizing_weights(height, size), lambda strip: _signed_rows(image[strip]), width * 3)
    columns = rows.reshape(size, width, 3).transpose(1, 0, 2).reshape(width, size * 3)
    both = _summed(resizing_weights(width, size), lambda strip: columns[strip], size * 3)
    return np.ascontiguousarray(both.reshape(size, size, 3).transpose(2, 1, 0)[None].astype(np.float32))


def resizing_weights(length: int, size: int) -> Weights:
    """What each of `size` values takes from each of `length`: (size, length), every row sums to 1."""
    offsets, gaussian = _gaussian(length / size)
    places, cubic = _bicubic(length, size)
    weights = np.zeros((size, length))
    row = np.arange(size)
    for place, share in zip(places.T, cubic.T, strict=True):
        for offset, part in zip(offsets, gaussian, strict=True):
            weights[row, _mirrored(place + offset, length)] += share * part
    return weights


def _gaussian(factor: float) -> tuple[NDArray[np.int64], Weights]:
    """The blur for a picture that is `factor` times too long: offsets (K,) and their weights (K,)."""
    sigma = max((factor - 1) / 2, 0.001)
    taps = int(max(2 * 2 * sigma, 3)) | 1  # odd
    offsets = np.arange(taps) - taps // 2
    weights = np.exp(-(offsets**2) / (2 * sigma**2))
    return offsets, weights / weights.sum()


def _bicubic(length: int, size: int) -> tuple[NDArray[np.int64], Weights]:
    """The four neighbours of each resized value and their weights: (size, 4) both.

    Places are computed in fp32, as torch does: on a long side its rounding moves them by thousandths of a pixel.
    """
    scale = np.float32(length - 1) / np.float32(size - 1)
    position = scale * np.arange(size, dtype=np.float32)
    before = np.minimum(position.astype(np.int64), length - 1)
    past = np.clip(position - before.astype(np.float32), 0, 1).astype(np.float64)
    weights = [_far(past + 1), _near(past), _near(1 - past), _far(2 - past)]
    return np.clip(before[:, None] + np.arange(-1, 3), 0, length - 1), np.stack(weights, axis=1)


def _near(distance: Weights) -> Weights:
    """Keys' cubic up to a distance of 1."""
    weights: Weights = ((_CUBIC + 2) * distance - (_CUBIC + 3)) * distance**2 + 1
    return weights


def _far(distance: Weights) -> Weights:
    """Keys' cubic between distances of 1 and 2."""
    weights: Weights = ((distance - 5) * distance + 8) * distance * _CUBIC - 4 * _CUBIC
    return weights


def _mirrored(places: NDArray[np.int64], length: int) -> NDArray[np.int64]:
    """Places beyond an edge, less than a length away, mirrored at the outermost pixel."""
    mirrored: NDArray[np.int64] = (length - 1) - np.abs((length - 1) - np.abs(places))
    return mirrored


def _signed_rows(rows: ByteArray) -> Weights:
    """RGB (h, W, 3) to (h, W · 3) in [-1, 1]."""
    values: Weights = signed(rows)[0].transpose(1, 2, 0).reshape(len(rows), -1).astype(np.float64)
    return values


def _summed(weights: Weights, values_of: Callable[[slice], Weights], width: int) -> Weights:
    """Weights (size, N) times values (N, width), which are asked for strip by strip: a photo does not fit as fp64."""
    sums = np.zeros((len(weights), width))
    for start in range(0, weights.shape[1], _STRIP):
        strip = slice(start, start + _STRIP)
        used = np.flatnonzero(weights[:, strip].any(axis=1))
        sums[used] += weights[used, strip] @ values_of(strip)
    return sums
