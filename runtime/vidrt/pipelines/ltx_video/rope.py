"""Rotary position tables of LTX-Video, in fp32 and in the order of operations of the official code."""

import math

import numpy as np
from vidrt_engines.versions import RopeTime

from vidrt.arrays import FloatArray
from vidrt.pipelines.latents import LatentGrid

THETA = 10000.0
BASE_SECONDS, BASE_ROWS, BASE_COLUMNS = 20, 2048, 2048
AXES = 3


def token_coordinates(grid: LatentGrid, fps: float, time: RopeTime) -> FloatArray:
    """Where each latent token lies: (S, 3) as seconds, rows and columns in pixels, by frames, then rows, then columns.

    A latent frame begins at its first frame (`RopeTime.PLAIN`) or, with the first frame encoded alone, up to seven
    frames earlier (`RopeTime.CAUSAL`).
    """
    axes = np.meshgrid(*(np.arange(n, dtype=np.float32) for n in (grid.frames, grid.rows, grid.columns)), indexing="ij")
    frame, row, column = (axis.reshape(-1) for axis in axes)
    if time is RopeTime.CAUSAL:
        seconds = np.maximum(frame * grid.temporal + 1 - grid.temporal, 0) * np.float32(1 / fps)
    else:
        seconds = frame * np.float32(grid.temporal / fps)
    return np.stack([seconds, row * grid.spatial, column * grid.spatial], axis=1).astype(np.float32)


def rope_tables(coordinates: FloatArray, width: int) -> tuple[FloatArray, FloatArray]:
    """Cosines and sines for tokens at `coordinates` (S, 3): two arrays (S, width / 2), an entry for each pair.

    Frequencies come first, then axes; the pairs that three axes leave over stand in front, unrotated.
    """
    fractions = coordinates / np.array([BASE_SECONDS, BASE_ROWS, BASE_COLUMNS], np.float32)
    angles = _frequencies(width // (2 * AXES)) * (fractions[:, :, None] * 2 - 1)  # (S, 3, width // 6)
    angles = angles.transpose(0, 2, 1).reshape(len(coordinates), -1)
    left_over = ((0, 0), (width // 2 - angles.shape[1], 0))
    return np.pad(np.cos(angles), left_over, constant_values=1), np.pad(np.sin(angles), left_over)


def _frequencies(count: int) -> FloatArray:
    exponents = _linspace_as_torch(count).astype(np.float64)
    return np.power(THETA, exponents).astype(np.float32) * np.float32(math.pi) / np.float32(2)


def _linspace_as_torch(count: int) -> FloatArray:
    """`torch.linspace(0, 1, count)` to the bit: it runs from both ends with a fused multiply-add.

    At the highest frequencies one unit in the last place turns the angle by a thousandth.
    """
    step = np.float64(np.float32(1) / np.float32(max(count - 1, 1)))
    index = np.arange(count)
    return np.where(index < count // 2, step * index, 1.0 - step * (count - 1 - index)).astype(np.float32)
