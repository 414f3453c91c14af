"""Frames as the VAE's encoder takes them, by the official code's rules or by diffusers'."""

from collections.abc import Iterable
from typing import TypeAlias

import numpy as np

from vidrt.arrays import ByteArray, FloatArray
from vidrt.conditioning.compression import compressed
from vidrt.conditioning.filters import bilinear, blurred
from vidrt.conditioning.rules import ConditionRules
from vidrt.images.resize import ResizeMode, fit_image, signed

Size: TypeAlias = tuple[int, int]
"""Height and width in pixels."""

_HALF_RANGE = np.float32(127.5)
_LEAST_SIDE = 2  # what the blur mirrors and H.264 halves


def prepared_clip(frames: Iterable[ByteArray], full: Size, size: Size, rules: ConditionRules) -> FloatArray:
    """Prepares the frames of a condition one at a time, so that no more than the result is held.

    Args:
        frames: RGB (H, W, 3) each.
        full: height and width of the run, whose shape the official code cuts frames to.
        size: height and width of the pass.
        rules: whose.

    Returns:
        (1, 3, F, height, width) in [-1, 1].
    """
    prepare = official_frame if rules is ConditionRules.OFFICIAL else _stretched
    return np.stack([prepare(frame, full, size)[0] for frame in frames], axis=1)[None]


def official_frame(frame: ByteArray, full: Size, size: Size) -> FloatArray:
    """Cuts, blurs, compresses and then resizes a frame: RGB (H, W, 3) to (1, 3, height, width) in [-1, 1].

    The model was trained on compressed videos, so a sharp picture is brought nearer to what it knows. All but the
    resizing is done at the frame's own size.

    Source: `load_image_to_tensor_with_resize_and_crop` with `just_crop`, and `resize_tensor`, of the official code.
    """
    unit = compressed(blurred(cut_to_shape(frame, full).astype(np.float32) / np.float32(255)))
    pixels = unit * np.float32(255) / _HALF_RANGE - np.float32(1)
    return bilinear(pixels.transpose(2, 0, 1), size)[None]


def cut_to_shape(frame: ByteArray, full: Size) -> ByteArray:
    """The middle of a frame (H, W, 3), of the shape of `full`; two pixels a side are left of the narrowest."""
    height, width = frame.shape[:2]
    shape = full[1] / full[0]
    if width / height > shape:
        kept = max(int(height * shape), _LEAST_SIDE)
        left = (width - kept) // 2
        return frame[:, left : left + kept]
    kept = max(int(width / shape), _LEAST_SIDE)
    top = (height - kept) // 2
    return frame[top : top + kept]


def _stretched(frame: ByteArray, full: Size, size: Size) -> FloatArray:
    """As diffusers does it: resized, whatever its shape."""
    del full
    return signed(fit_image(frame, *size, ResizeMode.STRETCH))
