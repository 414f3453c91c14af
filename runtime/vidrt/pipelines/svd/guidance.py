"""Guidance of Stable Video Diffusion: stronger from frame to frame."""

import numpy as np

from vidrt.arrays import FloatArray


def guidance_scales(first: float, last: float, frames: int) -> FloatArray:
    """Evenly spaced scales (F,) from the first frame's to the last one's; a single frame has the first."""
    return np.linspace(first, last, frames).astype(np.float32)


def is_guided(scales: FloatArray) -> bool:
    """Whether the unconditional half is computed at all: diffusers leaves scales of 1 and less unused."""
    return bool(scales.max() > 1)


def frame_guidance(conditional: FloatArray, unconditional: FloatArray, scales: FloatArray) -> FloatArray:
    """Moves from the unconditional velocity through the conditional one, by a scale for each frame.

    Args:
        conditional: (B, F, C, H, W).
        unconditional: likewise.
        scales: (F,).

    Returns:
        (B, F, C, H, W).
    """
    return unconditional + scales.reshape(1, -1, 1, 1, 1) * (conditional - unconditional)
