"""What Stable Video Diffusion's clips show: the shape says which way it goes, the motion bucket how far."""

from dataclasses import replace

import numpy as np

from training.clips.scene import Colour, Motion, Scene, Shape, is_held_out, random_scene

WAYS = {Shape.CIRCLE: Motion.RIGHT, Shape.SQUARE: Motion.LEFT, Shape.TRIANGLE: Motion.UP}
LAST_BUCKET = 255
# As wide as a latent: narrower ones, which repeat from latent to latent, could not be told apart from their mean.
STRIPES = 4
FARTHEST = 0.4  # of the frame's side, in the last bucket
_MARGIN = 0.03


def pairs(*, held_out: bool) -> list[tuple[Colour, Shape]]:
    """All colours of shapes that are, or are not, held out of training."""
    every = [(colour, shape) for colour in Colour for shape in Shape]
    return [pair for pair in every if is_held_out(*pair, WAYS[pair[1]]) is held_out]


SEEN = tuple(pairs(held_out=False))


def svd_scene(rng: np.random.Generator, colour: Colour, shape: Shape, travel: float) -> Scene:
    """Draws all else at random, such that a square frame holds the shape from the first frame to the last."""
    scene = random_scene(rng, colour, shape, WAYS[shape])
    room = 0.5 - _MARGIN - 1.4 * scene.size
    start = tuple(_start(rng, room, sign * travel) for sign in scene.motion.direction)
    return replace(scene, start=(start[0], start[1]), travel=travel, stripes=STRIPES)


def random_svd_scene(seed: int, index: int) -> Scene:
    """Draws a scene that training may see."""
    rng = np.random.default_rng((seed, index))
    return svd_scene(rng, *_seen(rng), float(rng.uniform(0, FARTHEST)))


def random_still(seed: int, index: int) -> Scene:
    """Draws a scene that training may see, with the shape anywhere: a picture as it lies on a clip's way."""
    rng = np.random.default_rng((seed, index))
    return svd_scene(rng, *_seen(rng), 0.0)


def _seen(rng: np.random.Generator) -> tuple[Colour, Shape]:
    return SEEN[int(rng.integers(len(SEEN)))]


def _start(rng: np.random.Generator, room: float, way: float) -> float:
    low, high = max(-room, -room - way), min(room, room - way)
    return float(rng.uniform(low, high)) if low < high else -way / 2
