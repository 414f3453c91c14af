"""What a clip shows, and which combinations training never sees."""

from dataclasses import dataclass
from enum import StrEnum

import numpy as np

SMALLEST, LARGEST = 0.12, 0.19
SHORTEST, LONGEST = 0.3, 0.45
_MARGIN = 0.03
_HELD_OUT_EVERY = 7


class Colour(StrEnum):
    """The colours of shapes."""

    RED = "red"
    ORANGE = "orange"
    YELLOW = "yellow"
    GREEN = "green"
    CYAN = "cyan"
    BLUE = "blue"
    PURPLE = "purple"
    PINK = "pink"


class Shape(StrEnum):
    """The shapes."""

    CIRCLE = "circle"
    SQUARE = "square"
    TRIANGLE = "triangle"


class Motion(StrEnum):
    """What a shape does, in a caption's words."""

    RIGHT = "moves to the right"
    LEFT = "moves to the left"
    UP = "moves up"
    DOWN = "moves down"
    UP_RIGHT = "moves up and to the right"
    UP_LEFT = "moves up and to the left"
    DOWN_RIGHT = "moves down and to the right"
    DOWN_LEFT = "moves down and to the left"
    STILL = "stays still"
    GROWS = "grows"
    SHRINKS = "shrinks"

    @property
    def direction(self) -> tuple[int, int]:
        """The signs of its way along x (to the right) and y (down)."""
        words = self.value.split()
        return ("right" in words) - ("left" in words), ("down" in words) - ("up" in words)


@dataclass(frozen=True, kw_only=True)
class Scene:
    """A shape on a background.

    Lengths are fractions of the frame's shorter side, and places are counted from its middle, x to the right, y down.

    Attributes:
        size: the radius of a circle; the other shapes are about as large.
        start: the shape's centre in the first frame.
        travel: how far it goes along each axis of its motion until the last frame.
        tone: the grey of the background, from 0 (black) to 1.
        striped: whether the background has vertical stripes.
        stripes: how many it has then.
    """

    colour: Colour
    shape: Shape
    motion: Motion
    size: float = 0.16
    start: tuple[float, float] = (0.0, 0.0)
    travel: float = 0.4
    tone: float = 0.9
    striped: bool = False
    stripes: int = 8


def is_held_out(colour: Colour, shape: Shape, motion: Motion) -> bool:
    """Whether training never sees this combination; every pair of its parts is seen in others."""
    places = list(Colour).index(colour), list(Shape).index(shape), list(Motion).index(motion)
    return (places[0] + 2 * places[1] + 3 * places[2]) % _HELD_OUT_EVERY == 0


def combinations(*, held_out: bool) -> list[tuple[Colour, Shape, Motion]]:
    """All combinations that are, or are not, held out."""
    every = [(colour, shape, motion) for colour in Colour for shape in Shape for motion in Motion]
    return [combination for combination in every if is_held_out(*combination) is held_out]


def random_scene(rng: np.random.Generator, colour: Colour, shape: Shape, motion: Motion) -> Scene:
    """Draws all else at random, such that a square frame holds the shape from the first frame to the last."""
    size, travel = float(rng.uniform(SMALLEST, LARGEST)), float(rng.uniform(SHORTEST, LONGEST))
    room = 0.5 - _MARGIN - 1.4 * size
    start = tuple(_start(rng, room, sign * travel) for sign in motion.direction)
    return Scene(
        colour=colour, shape=shape, motion=motion, size=size, start=(start[0], start[1]), travel=travel,
        tone=float(rng.uniform(0.84, 0.98)), striped=bool(rng.random() < 0.25),
    )  # fmt: skip


def _start(rng: np.random.Generator, room: float, way: float) -> float:
    """A place on one axis from where the way stays within the room; the middle of the way where there is too little."""
    low, high = max(-room, -room - way), min(room, room - way)
    return float(rng.uniform(low, high)) if low < high else -way / 2
