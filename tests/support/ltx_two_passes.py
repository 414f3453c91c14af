"""What the official pipeline of two passes was given when it was recorded, and what it made of it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from ltx_conditioning import Item
from svd_original import weight

if TYPE_CHECKING:
    from collections.abc import Mapping

_GOLDEN = Path(__file__).resolve().parent.parent / "runtime" / "pipelines" / "golden"
# The second pass is wider than what is asked for, 128x192, so that its frames are resized.
SIZE = {"height": 128, "width": 160, "num_frames": 9}
FPS = 24.0
FIRST, SECOND = (2, 2, 3), (2, 4, 6)  # latent frames, rows, columns
UPSAMPLER = {"in_channels": 8, "mid_channels": 64, "num_blocks_per_stage": 1, "dims": 3}
# 0.9.7's configurations are not in the official repository any more: its files run by 0.9.8's, without tone mapping.
VERSIONS = ("0.9.7-dev", "0.9.7-distilled", "0.9.8-2b-distilled", "0.9.8-13b-dev", "0.9.8-13b-distilled")
_ALIKE = {"0.9.7-dev": "0.9.8-13b-dev"}
# By version what the conditioned runs show: a picture at each end. One of strength 1 is noised before every step, a
# weaker one waits for its noise level.
CONDITIONS = {
    "0.9.8-2b-distilled": (Item(), Item(frame=8, strength=0.5)),
    "0.9.8-13b-dev": (Item(strength=0.8), Item(frame=8)),
}
# Wider than the video and narrower than its passes: it is cut to the video's shape and resized to each pass.
_PICTURE, _CUT = (96, 140), slice(10, 130)
# Of the frames every so many are kept, and of their rows and columns.
_FRAME_STEP, _PIXEL_STEP = 4, 3


def upsampler_value(name: str, shape: tuple[int, ...]) -> np.ndarray:
    """The weight of a name in the upsampler."""
    return weight(f"upsampler.{name}", shape)


def kept(frames: np.ndarray) -> np.ndarray:
    """What was recorded of frames (F, H, W, 3)."""
    return frames[::_FRAME_STEP, ::_PIXEL_STEP, ::_PIXEL_STEP]


def picture(item: Item) -> np.ndarray:
    """The picture of a condition, RGB (H, W, 3): squares of colours."""
    height, width = _PICTURE
    shape = (height // 4, width // 4, 3)
    drawn = weight(f"picture {item}", shape) * np.float32(np.sqrt(np.prod(shape[1:])))
    colours = np.asarray(np.clip(128 + 60 * drawn, 0, 255), np.uint8)
    return np.repeat(np.repeat(colours, 4, axis=0), 4, axis=1)


def prepared(item: Item) -> np.ndarray:
    """A picture as it is prepared but for blur and H.264, cut and not resized yet: (1, 3, 1, H, W) in [-1, 1]."""
    unit = picture(item)[:, _CUT].astype(np.float32) / np.float32(255)
    pixels = unit * np.float32(255) / np.float32(127.5) - np.float32(1)
    return pixels.transpose(2, 0, 1)[None, :, None]


def recorded(version: str, file_name: str = "two_passes") -> Mapping[str, np.ndarray]:
    """By name what came about in a version's run, of the file `two_passes` or `two_passes_conditioned`.

    `first` (C, F, H, W): the first pass's latents. `upscaled`: the second pass's before noise. `steps` (steps + 1,
    tokens, C): with noise, and after each step, extra tokens in front. `frames`: `kept` ones, in [0, 1], or bytes where
    the run is conditioned.
    """
    prefix = f"{_ALIKE.get(version, version)} "
    with np.load(_GOLDEN / f"{file_name}.npz") as file:
        return {name.removeprefix(prefix): file[name] for name in file.files if name.startswith(prefix)}
