"""Between two passes: from the latents of the first, smaller one to those that the second begins with.

Source: `LTXMultiScalePipeline` of the official LTX-Video repository.
"""

import numpy as np
from vidrt_engines.axes import first_pass_side
from vidrt_engines.settings import LtxSettings

from vidrt.arrays import FloatArray
from vidrt.components.latent_upsampler import LatentUpsampler
from vidrt.errors import RequestError
from vidrt.pipelines.latents import denormalise, normalise


def first_pass_size(height: int, width: int, unit: int) -> tuple[int, int]:
    """Height and width of the first pass, in pixels divisible by `unit`; the second has twice as many.

    Raises:
        RequestError: nothing is left of a side.
    """
    sides = first_pass_side(height, unit), first_pass_side(width, unit)
    if not all(sides):
        raise RequestError(f"For two passes height and width should be {2 * unit} or more, not {height}x{width}.")
    return sides


def upscaled(latents: FloatArray, upsampler: LatentUpsampler, settings: LtxSettings) -> FloatArray:
    """Normalised latents (B, C, F, H, W) to (B, C, F, 2·H, 2·W), one video after the other."""
    with upsampler.held():
        larger = np.concatenate([upsampler(item[None]) for item in denormalise(latents, settings)])
    return normalise(larger, settings)


def adain(latents: FloatArray, reference: FloatArray, factor: float = 1.0) -> FloatArray:
    """Gives each channel of each video the mean and the deviation that it has in the reference.

    A channel that is the same everywhere has no deviation to stretch, and takes the mean alone.

    Args:
        latents: (B, C, F, H, W).
        reference: (B, C, F', H', W').
        factor: how much of it, from 0, none, to 1.
    """
    mean, deviation = _statistics(latents)
    new_mean, new_deviation = _statistics(reference)
    spread: FloatArray = np.where(deviation > 0, deviation, np.float32(1))
    result: FloatArray = (latents - mean) / spread * new_deviation + new_mean
    return result - (result - latents) * np.float32(1 - factor)


def renoised(latents: FloatArray, sigma: np.float32, noise: FloatArray) -> FloatArray:
    """Latents brought back to a noise level: what a pass begins with that is not to begin from noise alone."""
    return sigma * noise + (np.float32(1) - sigma) * latents


def tone_mapped(latents: FloatArray, compression: float) -> FloatArray:
    """Brings large latents back, the more so the larger they are; 0 changes nothing, 1 is the most."""
    strength = np.float32(compression * 0.75)
    one = np.float32(1)
    rise: FloatArray = one / (one + np.exp(np.float32(-4) * strength * (np.abs(latents) - one)))
    mapped: FloatArray = latents * (one - np.float32(0.8) * strength * rise)
    return mapped


def resized_frames(frames: FloatArray, height: int, width: int) -> FloatArray:
    """Frames (…, H, W) to (…, height, width) by the two nearest pixels of each direction, without smoothing.

    It is `torch.nn.functional.interpolate` in the mode bilinear. The official code does it to frames in [0, 1], before
    they become bytes.
    """
    *leading, rows, columns = frames.shape
    if (rows, columns) == (height, width):
        return frames
    upper, lower, row_weight = _neighbours(rows, height)
    left, right, column_weight = _neighbours(columns, width)
    result = np.empty((int(np.prod(leading)), height, width), np.float32)
    for image, source in zip(result, frames.reshape(-1, rows, columns), strict=True):
        across = source[:, left] + (source[:, right] - source[:, left]) * column_weight
        image[:] = across[upper] + (across[lower] - across[upper]) * row_weight[:, None]
    return result.reshape(*leading, height, width)


def _neighbours(size: int, new_size: int) -> tuple[np.ndarray, np.ndarray, FloatArray]:
    """For each new pixel the two old ones whose centres are around its own, and the weight of the second."""
    centres = (np.arange(new_size, dtype=np.float32) + np.float32(0.5)) * np.float32(size / new_size) - np.float32(0.5)
    centres = np.maximum(centres, 0)
    first = np.minimum(centres.astype(np.int64), size - 1)
    return first, np.minimum(first + 1, size - 1), (centres - first).astype(np.float32)


def _statistics(latents: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Means and deviations (B, C, 1, 1, 1), of samples: divided by one less than their number."""
    axes = (2, 3, 4)
    is_sample = latents[0, 0].size > 1
    mean = latents.mean(axes, np.float64, keepdims=True)
    deviation = latents.std(axes, np.float64, ddof=int(is_sample), keepdims=True)
    return mean.astype(np.float32), deviation.astype(np.float32)
