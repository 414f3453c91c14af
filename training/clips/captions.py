"""A scene's caption."""

from training.clips.scene import Colour, Motion, Scene, Shape

STRIPED = " on a striped background"


def caption(scene: Scene) -> str:
    """Says what a scene shows, as in "an orange circle moves to the right on a striped background"."""
    return phrase(scene.colour, scene.shape, scene.motion, striped=scene.striped)


def phrase(colour: Colour, shape: Shape, motion: Motion, *, striped: bool = False) -> str:
    """Says what has a colour and a shape and what it does."""
    article = "an" if colour is Colour.ORANGE else "a"
    return f"{article} {colour} {shape} {motion}{STRIPED if striped else ''}"
