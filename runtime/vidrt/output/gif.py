"""GIF with one palette for the clip.

Compared with FFmpeg's palettegen and paletteuse on gradients, texture, grain and flat shapes: k-means over a sample is
equal or better to look at, 2 to 20 times as fast, and keeps small vivid things in their colour.
"""

import itertools
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from vidrt.output.clip import Frames, check_clip
from vidrt.output.paths import replacing

if TYPE_CHECKING:
    from PIL.Image import Image

# one of 256 stays free: Pillow marks with it what has not changed since the frame before
_COLOURS = 255
# pixels: four times as many make the palette no better
_LOOKED_AT = 1 << 18
_SAMPLE = (128, 128)
# 1/100 s; many viewers slow anything shorter down to 1/10 s
_SHORTEST, _LONGEST = 2, 0xFFFF


def write_gif(path: Path, frames: Frames, fps: float, on_frame: Callable[[], object] | None = None) -> None:
    """Writes a GIF that loops for ever.

    Above 50 frames a second it plays at 50. Frames that equal the one before become its longer delay.

    Args:
        path: The file, whole or not there at all.
        frames: uint8 (F, H, W, 3), RGB.
        fps: Frames in a second.
        on_frame: Called after each frame.

    Raises:
        OutputError: The file cannot be written.
        ValueError: frames or fps are not what they should be.
    """
    check_clip(frames, fps)
    with replacing(path) as temporary:
        first, *others = _indexed(frames, on_frame)
        # milliseconds here, and Pillow rounds down
        delays = [10 * delay for delay in frame_delays(len(frames), fps)]
        first.save(temporary, "GIF", save_all=True, append_images=others, duration=delays, loop=0, optimize=False)


def frame_delays(count: int, fps: float) -> list[int]:
    """Gives each frame's delay in 1/100 s, such that none drifts from its time by more than half of that."""
    hundredths = max(100 / fps, _SHORTEST)
    times = [round(index * hundredths) for index in range(count + 1)]
    return [min(stop - start, _LONGEST) for start, stop in itertools.pairwise(times)]


def _indexed(frames: Frames, on_frame: Callable[[], object] | None) -> Iterator["Image"]:
    from PIL import Image

    palette = _palette(frames)
    for frame in frames:
        yield Image.fromarray(frame).quantize(palette=palette, dither=Image.Dither.FLOYDSTEINBERG)
        if on_frame is not None:
            on_frame()


def _palette(frames: Frames) -> "Image":
    from PIL import Image

    sample = Image.fromarray(_sample(frames).reshape(*_SAMPLE, 3))
    return sample.quantize(_COLOURS, Image.Quantize.MEDIANCUT, kmeans=1)


def _sample(frames: Frames) -> Frames:
    """Draws pixels (128 * 128, 3) from the whole clip, common colours less often than they occur.

    By the square root of how often: else a large sky takes the palette from all that is small.
    """
    rng = np.random.default_rng(0)
    frame, row, column = (rng.integers(0, size, _LOOKED_AT) for size in frames.shape[:3])
    pixels = frames[frame, row, column]  # (N, 3)
    cells = (pixels >> 3) @ np.array([1 << 10, 1 << 5, 1])  # (N,), 32 levels a channel
    weights = 1 / np.sqrt(np.bincount(cells)[cells])
    return pixels[rng.choice(len(pixels), _SAMPLE[0] * _SAMPLE[1], p=weights / weights.sum())]
