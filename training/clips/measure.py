"""What a clip shows, measured: its dominant colour, its shape and what the shape does.

Backgrounds are grey, so that whatever has a colour is the shape.
"""

import math

import numpy as np
import numpy.typing as npt

from training.clips.draw import PALETTE, Bytes
from training.clips.scene import Colour, Motion, Shape

_COLOURFUL = 70  # the least difference between the brightest and the darkest of red, green and blue
_STILL = 0.12  # of the shorter side; training's shapes travel 0.3 and more along each axis
_GROWN = 1.5  # in area; training's grow fivefold
_LEAST_AREA = 0.002
_SQUARE_FILL, _CIRCLE_FILL = 0.89, 0.64  # of the bounding box; whole ones fill 1, 0.79 and, triangles, 0.5


def colour_of(clip: Bytes) -> Colour | None:
    """The palette's colour that most colourful pixels of (F, H, W, 3) are nearest to; None where there are too few."""
    pixels = clip[_shape_mask(clip)].astype(np.int32)
    if len(pixels) < _LEAST_AREA * clip[..., 0].size:
        return None
    palette = np.array(list(PALETTE.values()), np.int32)
    nearest = np.square(pixels[:, None] - palette).sum(axis=2).argmin(axis=1)
    return list(PALETTE)[int(np.bincount(nearest, minlength=len(palette)).argmax())]


def motion_of(clip: Bytes) -> Motion | None:
    """What the shape of (F, H, W, 3) does from the first frames to the last; None where a frame has none."""
    mask = _shape_mask(clip)
    areas = mask.mean(axis=(1, 2))
    if areas.min() < _LEAST_AREA:
        return None
    centres = shape_centres(clip)
    x, y = centres[-2:].mean(axis=0) - centres[:2].mean(axis=0)
    if math.hypot(x, y) > _STILL:
        return min(_MOVING, key=lambda motion: _angle_between(motion.direction, (x, y)))
    growth = areas[-2:].mean() / areas[:2].mean()
    if growth > _GROWN:
        return Motion.GROWS
    return Motion.SHRINKS if growth < 1 / _GROWN else Motion.STILL


def shape_of(clip: Bytes) -> Shape | None:
    """The shape of (F, H, W, 3), by how much of its bounding box it fills; None where there is none."""
    fills = [_fill(mask) for mask in _shape_mask(clip) if mask.mean() > _LEAST_AREA]
    if not fills:
        return None
    fill = float(np.median(fills))
    if fill > _SQUARE_FILL:
        return Shape.SQUARE
    return Shape.CIRCLE if fill > _CIRCLE_FILL else Shape.TRIANGLE


def shape_centres(clip: Bytes) -> npt.NDArray[np.float64]:
    """Where the shape's centre is in each frame of (F, H, W, 3): (F, 2), x and y as fractions of the shorter side."""
    side = min(clip.shape[1:3])
    return np.array([[places.mean() for places in np.nonzero(mask)[::-1]] for mask in _shape_mask(clip)]) / side


_MOVING = tuple(motion for motion in Motion if motion.direction != (0, 0))


def _shape_mask(clip: Bytes) -> npt.NDArray[np.bool_]:
    return (clip.max(axis=3).astype(np.int32) - clip.min(axis=3)) > _COLOURFUL


def _fill(mask: npt.NDArray[np.bool_]) -> float:
    rows, columns = np.nonzero(mask)
    # a hundredth at each side is left out: stray pixels are no part of the shape
    top, bottom = np.quantile(rows, (0.01, 0.99))
    left, right = np.quantile(columns, (0.01, 0.99))
    return float(mask.sum() / ((bottom - top + 1) * (right - left + 1)))


def _angle_between(first: tuple[int, int], second: tuple[float, float]) -> float:
    turned = math.atan2(first[1], first[0]) - math.atan2(second[1], second[0])
    return abs(math.remainder(turned, 2 * math.pi))
