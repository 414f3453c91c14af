"""What the official pipeline of two passes was given when it was recorded, and what it made of it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from svd_original import weight

if TYPE_CHECKING:
    from collections.abc import Mapping

GOLDEN = Path(__file__).resolve().parent.parent / "runtime" / "pipelines" / "golden" / "two_passes.npz"
# The second pass is wider than what is asked for, 128x192, so that its frames are resized.
SIZE = {"height": 128, "width": 160, "num_frames": 9}
FPS = 24.0
FIRST, SECOND = (2, 2, 3), (2, 4, 6)  # latent frames, rows, columns
UPSAMPLER = {"in_channels": 8, "mid_channels": 64, "num_blocks_per_stage": 1, "dims": 3}
# 0.9.7's configurations are not in the official repository any more: its files run by 0.9.8's, without tone mapping.
VERSIONS = ("0.9.7-dev", "0.9.7-distilled", "0.9.8-2b-distilled", "0.9.8-13b-dev", "0.9.8-13b-distilled")
_ALIKE = {"0.9.7-dev": "0.9.8-13b-dev"}
# Of the frames every so many are kept, and of their rows and columns.
_FRAME_STEP, _PIXEL_STEP = 4, 3


def upsampler_value(name: str, shape: tuple[int, ...]) -> np.ndarray:
    """The weight of a name in the upsampler."""
    return weight(f"upsampler.{name}", shape)


def kept(frames: np.ndarray) -> np.ndarray:
    """What was recorded of frames (F, H, W, 3)."""
    return frames[::_FRAME_STEP, ::_PIXEL_STEP, ::_PIXEL_STEP]


def recorded(version: str) -> Mapping[str, np.ndarray]:
    """By name what came about in a version's run.

    `first` (C, F, H, W): the first pass's latents. `upscaled`: the second pass's before noise. `start` and `steps`
    (steps + 1, tokens, C): with noise, and after each step, the start among them. `frames`: `kept` ones, in [0, 1].
    """
    prefix = f"{_ALIKE.get(version, version)} "
    with np.load(GOLDEN) as file:
        return {name.removeprefix(prefix): file[name] for name in file.files if name.startswith(prefix)}
