"""The tiles that a VAE may decode a video in, and how much of a neighbour each overlaps."""

import re
from dataclasses import dataclass

from vidrt.errors import RequestError

_SHAPE = re.compile(r"(\d+)x(\d+)(?:x(\d+))?")
# Tiles of diffusers' AutoencoderKLLTXVideo overlap by 64 of 512 pixels and by 8 of 16 frames.
_OF_SIDE, _OF_FRAMES = 8, 2


@dataclass(frozen=True, kw_only=True)
class Tiles:
    """Tiles in pixels and frames; the defaults are those of diffusers' `enable_tiling`.

    Attributes:
        height, width: of a tile; frames that are no larger are decoded whole.
        frames: of a tile, which takes one latent frame more; None decodes all frames of a tile together.
        overlap_height, overlap_width, overlap_frames: what neighbours have in common; None is an eighth of a side and
            half of the frames, in whole latents.
    """

    height: int = 512
    width: int = 512
    frames: int | None = None
    overlap_height: int | None = None
    overlap_width: int | None = None
    overlap_frames: int | None = None

    def __str__(self) -> str:
        sizes = [self.height, self.width, *([] if self.frames is None else [self.frames])]
        return "x".join(map(str, sizes))

    def halved(self, spatial: int, frames: int | None) -> "Tiles":
        """Tiles of half the sides, down to one latent of `spatial` pixels, and of so many frames."""
        height, width = (max(side // 2 // spatial, 1) * spatial for side in (self.height, self.width))
        return Tiles(height=height, width=width, frames=frames)

    def in_latents(self, spatial: int, temporal: int) -> "LatentTiles":
        """The same in latents.

        Args:
            spatial: pixels along a side of a latent.
            temporal: frames for each latent frame.

        Raises:
            RequestError: a size that is not a whole number of latents, or an overlap that leaves nothing.
        """
        rows = _span("height", self.height, self.overlap_height, spatial, _OF_SIDE)
        columns = _span("width", self.width, self.overlap_width, spatial, _OF_SIDE)
        frames = None
        if self.frames is not None:
            frames = _span("number of frames", self.frames, self.overlap_frames, temporal, _OF_FRAMES)
        return LatentTiles(rows=rows, columns=columns, frames=frames)


@dataclass(frozen=True, kw_only=True)
class TileSpan:
    """Tiles along one axis.

    Attributes:
        size: of a tile in latents.
        stride: from where one begins to where the next does, in latents.
        unit: pixels or frames for each latent.
    """

    size: int
    stride: int
    unit: int

    @property
    def kept(self) -> int:
        """The pixels or frames of a tile that its successor does not begin with."""
        return self.stride * self.unit

    @property
    def blended(self) -> int:
        """The pixels or frames over which a tile goes over into its successor."""
        return (self.size - self.stride) * self.unit

    def cuts(self, length: int, more: int = 0) -> list[slice]:
        """Where each tile lies among so many latents, with `more` behind its own where they are there."""
        return [slice(start, min(start + self.size + more, length)) for start in range(0, length, self.stride)]


@dataclass(frozen=True, kw_only=True)
class LatentTiles:
    """Tiles along each axis of latents."""

    rows: TileSpan
    columns: TileSpan
    frames: TileSpan | None = None

    def cut_frames(self, frames: int) -> list[slice]:
        """Which latent frames are decoded together; one behind each tile's own, since a first one is a single frame."""
        if self.frames is None or frames <= self.frames.size:
            return [slice(0, frames)]
        return self.frames.cuts(frames, more=1)

    def cut_grid(self, rows: int, columns: int) -> tuple[list[slice], list[slice]]:
        """Which rows and which columns are decoded together."""
        if rows <= self.rows.size and columns <= self.columns.size:
            return [slice(0, rows)], [slice(0, columns)]
        return self.rows.cuts(rows), self.columns.cuts(columns)


def parse_tiles(text: str) -> Tiles:
    """Tiles from HEIGHTxWIDTH or HEIGHTxWIDTHxFRAMES.

    Raises:
        RequestError: it is neither.
    """
    match = _SHAPE.fullmatch(text.strip())
    height, width, frames = (int(size) for size in match.groups("-1")) if match else (0, 0, 0)
    if not min(height, width) or not frames:
        raise RequestError(f"The size of tiles should be like 512x512, or 512x512x16 with frames, not {text!r}.")
    return Tiles(height=height, width=width, frames=None if frames < 0 else frames)


def _span(name: str, size: int, overlap: int | None, unit: int, part: int) -> TileSpan:
    if size < unit or size % unit:
        below = max(size // unit, 1) * unit
        raise RequestError(f"The {name} of tiles should be divisible by {unit}, and {size} is not: take {below}.")
    latents = size // unit
    if overlap is None:
        common = min(max(latents // part, 1), latents - 1)
    elif overlap % unit or not 0 <= overlap < size:
        raise RequestError(
            f"Tiles should overlap in their {name} by a multiple of {unit} below {size}, and {overlap} is none."
        )
    else:
        common = overlap // unit
    return TileSpan(size=latents, stride=latents - common, unit=unit)
