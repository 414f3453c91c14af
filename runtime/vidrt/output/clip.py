"""What every writer takes: frames and how fast they pass."""

import math

import numpy as np
from numpy.typing import NDArray

Frames = NDArray[np.uint8]


def check_clip(frames: Frames, fps: float) -> None:
    """Checks what a writer is given.

    Args:
        frames: uint8 (F, H, W, 3), RGB, at least one.
        fps: Frames in a second, above 0.

    Raises:
        ValueError: Something else came.
    """
    if frames.dtype != np.uint8 or frames.ndim != 4 or frames.shape[3] != 3 or frames.size == 0:  # noqa: PLR2004
        raise ValueError(f"frames are uint8 (F, H, W, 3) and not empty, not {frames.dtype} {frames.shape}")
    if not (math.isfinite(fps) and fps > 0):
        raise ValueError(f"fps is a number above 0, not {fps}")
