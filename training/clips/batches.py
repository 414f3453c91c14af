"""Batches of drawn clips, each from its step's number."""

from collections.abc import Sequence

import numpy as np

from training.clips.draw import Bytes, draw
from training.clips.scene import Scene, combinations, random_scene

SEEN = tuple(combinations(held_out=False))


def random_scenes(seed: int, step: int, count: int) -> list[Scene]:
    """Draws scenes of combinations that training may see."""
    rng = np.random.default_rng((seed, step))
    return [random_scene(rng, *SEEN[int(rng.integers(len(SEEN)))]) for _ in range(count)]


def draw_batch(scenes: Sequence[Scene], frames: int, side: int) -> Bytes:
    """Draws square clips: (B, F, H, W, 3)."""
    return np.stack([draw(scene, frames, side, side) for scene in scenes])


def crop(clips: Bytes, scenes: Sequence[Scene], length: int, side: int, rng: np.random.Generator) -> Bytes:
    """Cuts some frames out of each square clip (B, F, H, H, 3), and of them a square window where its shape is."""
    return np.stack([_cut(clip, scene, length, side, rng) for clip, scene in zip(clips, scenes, strict=True)])


def _cut(clip: Bytes, scene: Scene, length: int, side: int, rng: np.random.Generator) -> Bytes:
    frames, whole = clip.shape[:2]
    first = int(rng.integers(0, frames - length + 1))
    time = (first + length / 2) / frames
    corner = []
    for start, sign in zip(scene.start, scene.motion.direction, strict=True):
        middle = (0.5 + start + sign * scene.travel * time) * whole + rng.uniform(-side, side) / 2
        corner.append(int(np.clip(middle - side / 2, 0, whole - side)))
    column, row = corner
    return clip[first : first + length, row : row + side, column : column + side]
