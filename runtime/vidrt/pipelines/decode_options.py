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
        keeps_frames: whether all frames are kept until the last is there, as a call does; who takes them as they come
            says no, and a memory limit then does not count them.
    """

    tiles: Tiles | None = None
    slicing: bool = True
    keeps_frames: bool = True
