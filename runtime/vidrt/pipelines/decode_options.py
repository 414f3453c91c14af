"""How latents become frames where there is a choice."""

from dataclasses import dataclass

from vidrt.components.tiles import Tiles


@dataclass(frozen=True, kw_only=True)
class DecodeOptions:
    """How much of the videos the decoder sees at once.

    Attributes:
        tiles: decode tile by tile; None decodes whole frames, some after the other where the engine has stages.
        slicing: decode several videos one after the other; otherwise all in one call, which needs their number of
            times the memory.
    """

    tiles: Tiles | None = None
    slicing: bool = True
