"""Draws scenes; edges are smoothed by how much of a pixel a shape covers."""

import math

import numpy as np
import numpy.typing as npt

from training.clips.scene import Colour, Motion, Scene, Shape

Floats = npt.NDArray[np.float32]
Bytes = npt.NDArray[np.uint8]

PALETTE: dict[Colour, tuple[int, int, int]] = {
    Colour.RED: (220, 35, 35),
    Colour.ORANGE: (250, 140, 20),
    Colour.YELLOW: (240, 220, 40),
    Colour.GREEN: (35, 160, 60),
    Colour.CYAN: (40, 200, 215),
    Colour.BLUE: (35, 70, 215),
    Colour.PURPLE: (130, 40, 170),
    Colour.PINK: (245, 120, 190),
}
STRIPE_DEPTH = 0.18
_GROWTH = (0.6, 1.35)


def draw(scene: Scene, frames: int = 17, height: int = 128, width: int = 128) -> Bytes:
    """Draws a clip: (F, H, W, 3)."""
    time = np.linspace(0, 1, frames, dtype=np.float32) if frames > 1 else np.zeros(1, np.float32)
    x, y = _grid(height, width)
    direction = scene.motion.direction
    moved = [scene.start[axis] + direction[axis] * scene.travel * time for axis in (0, 1)]
    size = scene.size * _scale(scene.motion, time)
    distance = _distance(scene.shape, x - _column(moved[0]), y - _column(moved[1]), _column(size))  # (F, H, W)
    cover = np.clip(0.5 - distance * min(height, width), 0, 1)[..., None]
    background = _background(scene, x)[..., None] * np.float32(255)
    colour = np.array(PALETTE[scene.colour], np.float32)
    return np.rint(background + cover * (colour - background)).astype(np.uint8)


def _column(values: Floats) -> Floats:
    return values.astype(np.float32).reshape(-1, 1, 1)


def _grid(height: int, width: int) -> tuple[Floats, Floats]:
    """The middles of the pixels: x (1, W) and y (H, 1)."""
    side = np.float32(min(height, width))
    x = (np.arange(width, dtype=np.float32) + np.float32(0.5 - width / 2)) / side
    y = (np.arange(height, dtype=np.float32) + np.float32(0.5 - height / 2)) / side
    return x[None, :], y[:, None]


def _scale(motion: Motion, time: Floats) -> Floats:
    first, last = _GROWTH
    if motion is Motion.GROWS:
        return first + (last - first) * time
    if motion is Motion.SHRINKS:
        return last + (first - last) * time
    return np.ones_like(time)


def _distance(shape: Shape, x: Floats, y: Floats, size: Floats) -> Floats:
    """How far each pixel lies outside of the shape, negative inside: (F, H, W)."""
    if shape is Shape.CIRCLE:
        return np.sqrt(x * x + y * y) - size
    if shape is Shape.SQUARE:
        return np.maximum(np.abs(x), np.abs(y)) - np.float32(0.89) * size
    inner = np.float32(0.72) * size  # the radius of the circle within; the corners lie twice as far
    return np.maximum(y, np.float32(math.cos(math.pi / 6)) * np.abs(x) - y / 2) - inner


def _background(scene: Scene, x: Floats) -> Floats:
    """The grey of the background: (1, W)."""
    if not scene.striped:
        return np.full_like(x, scene.tone)
    wave = np.sin(2 * np.pi * scene.stripes * x) * np.float32(12)
    return (scene.tone - STRIPE_DEPTH * np.clip(wave + 0.5, 0, 1)).astype(np.float32)
