"""Pictures brought to a video's size, and to the values that the VAE takes."""

from enum import StrEnum
from typing import TYPE_CHECKING

import numpy as np

from vidrt.arrays import ByteArray, FloatArray

if TYPE_CHECKING:
    from PIL.Image import Image


class ResizeMode(StrEnum):
    """How a picture of another shape becomes one of the video's."""

    CROP = "crop"
    STRETCH = "stretch"
    PAD = "pad"


def fit_image(image: ByteArray, height: int, width: int, mode: ResizeMode) -> ByteArray:
    """Resizes a picture with a Lanczos filter.

    Args:
        image: RGB (H, W, 3).
        height: of the video, in pixels.
        width: likewise.
        mode: crop keeps the middle of what covers the video; stretch changes the picture's shape, as diffusers'
            VaeImageProcessor does; pad keeps all of it between black bars.

    Returns:
        RGB (height, width, 3).
    """
    from PIL import Image, ImageOps

    picture, size, lanczos = Image.fromarray(image), (width, height), Image.Resampling.LANCZOS
    if mode is ResizeMode.CROP:
        # cuts before it resizes: what covers a wide video from a narrow picture would not fit into memory
        return np.array(ImageOps.fit(picture, size, lanczos))
    if mode is ResizeMode.PAD:
        return np.array(_padded(picture, size))
    return np.array(picture.resize(size, lanczos))


def signed(image: ByteArray) -> FloatArray:
    """RGB (H, W, 3) to (1, 3, H, W) in [-1, 1], in diffusers' order of operations."""
    unit = image.astype(np.float32) / np.float32(255)
    return np.ascontiguousarray((np.float32(2) * unit - np.float32(1)).transpose(2, 0, 1)[None])


def _padded(picture: "Image", size: tuple[int, int]) -> "Image":
    from PIL import Image

    scale = min(size[0] / picture.width, size[1] / picture.height)
    # a line at least: pillow's own ImageOps.pad fails where nothing would be left
    inner = max(round(picture.width * scale), 1), max(round(picture.height * scale), 1)
    out = Image.new("RGB", size)
    out.paste(picture.resize(inner, Image.Resampling.LANCZOS), ((size[0] - inner[0]) // 2, (size[1] - inner[1]) // 2))
    return out
