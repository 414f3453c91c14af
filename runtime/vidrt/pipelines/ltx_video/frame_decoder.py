"""The decoder in the memory that there is: whole frames, tiles where they are asked for, smaller ones where it ends."""

from collections.abc import Callable, Iterator, Sequence

import numpy as np
from vidrt_engines.axes import axis_sizes
from vidrt_engines.settings import LtxSettings

from vidrt.arrays import FloatArray
from vidrt.components.tiles import LatentTiles, Tiles
from vidrt.components.tiling import decode_tiled, tile_shapes
from vidrt.components.vae_decoder import VaeDecoder
from vidrt.errors import OutOfMemoryError, RequestError
from vidrt.pipelines.decode_options import DecodeOptions
from vidrt.sessions.fitting import VideoSize

_TIME = 2
_BRIEF = 16  # frames of a tile of an engine that decodes all frames of it at once


def _silent(_: str) -> None:
    pass


class FrameDecoder:
    """Decodes videos; once memory has run out, in tiles that are half as large, down to single latents.

    Args:
        decoder: of the pipeline.
        settings: the bundle's.
        options: how it begins.
        note: told what happens when memory runs out.
    """

    def __init__(
        self, decoder: VaeDecoder, settings: LtxSettings, options: DecodeOptions, note: Callable[[str], None] = _silent
    ) -> None:
        self._decoder, self._settings, self._note = decoder, settings, note
        self._tiles = options.tiles

    def frames(self, latents: FloatArray, timestep: float | None, maps: Sequence[FloatArray]) -> Iterator[FloatArray]:
        """Decodes, and gives frames as they come.

        Args:
            latents: de-normalised, (B, C, F, H, W).
            timestep: of a decoder that takes one.
            maps: the noise that it injects.

        Yields:
            The next frames (B, 3, some, 32·H, 32·W).

        Raises:
            OutOfMemoryError: there is not enough even for the smallest tile.
        """
        given = 0
        while True:
            try:
                for part in _after(given, self._attempt(latents, timestep, maps)):
                    given += part.shape[_TIME]
                    yield part
            except (OutOfMemoryError, MemoryError) as error:
                self._shrink(latents.shape, error)
            else:
                return
            self._decoder.engine.close()  # what it took in vain goes back before the next attempt

    def _attempt(self, latents: FloatArray, timestep: float | None, maps: Sequence[FloatArray]) -> Iterator[FloatArray]:
        if self._tiles is None:
            yield from self._decoder.stream(latents, timestep, maps)
            return

        def decode(tile: FloatArray, noise: Sequence[FloatArray]) -> FloatArray:
            parts = list(self._decoder.stream(np.ascontiguousarray(tile), timestep, noise))
            return parts[0] if len(parts) == 1 else np.concatenate(parts, axis=_TIME)

        tiles = in_latents(self._tiles, self._settings)
        with self._decoder.held_for_tiles(shape[0] for shape in tile_shapes(tiles, *latents.shape[2:])):
            yield from decode_tiled(decode, latents, maps, tiles)

    def _shrink(self, shape: Sequence[int], error: Exception) -> None:
        smaller = next(smaller_tiles(self._tiles, shape, self._decoder, self._settings), None)
        before = "whole frames" if self._tiles is None else f"tiles of {self._tiles}"
        if smaller is None:
            raise OutOfMemoryError(
                f"There is not enough memory to decode even {before}: close what else uses it, or take a smaller video."
            ) from error
        self._note(f"There is not enough memory to decode {before}: going on in tiles of {smaller}.")
        self._tiles = smaller


def in_latents(tiles: Tiles, settings: LtxSettings) -> LatentTiles:
    """Tiles in the latents of a bundle.

    Raises:
        RequestError: they are no whole number of latents.
    """
    return tiles.in_latents(settings.spatial_compression, settings.temporal_compression)


def smaller_tiles(
    tiles: Tiles | None, shape: Sequence[int], decoder: VaeDecoder, settings: LtxSettings
) -> Iterator[Tiles]:
    """Tiles that need less memory than these and that the engine takes, the largest first.

    Args:
        tiles: those that are too large; None is whole frames.
        shape: of the latents, (B, C, F, H, W).
        decoder: of the pipeline; one without stages decodes all frames of a tile at once, so that it gets brief ones.
        settings: the bundle's.
    """
    brief = None if tiles is None else tiles.frames
    frames = brief if decoder.engine.stages else _BRIEF
    larger = Tiles() if tiles is None else tiles
    sizes = [larger] if tiles is None else []
    while (half := larger.halved(settings.spatial_compression, frames)) != larger:
        sizes.append(half)
        larger = half
    whole = {(shape[2], shape[3], shape[4])}
    for size in sizes:
        if tile_shapes(in_latents(size, settings), *shape[2:]) == whole:
            continue
        if refusal(size, shape, decoder, settings) is None:
            yield size


def check_tiles(options: DecodeOptions, shape: Sequence[int], decoder: VaeDecoder, settings: LtxSettings) -> None:
    """Finds out whether the decoder takes the tiles that are asked for.

    Args:
        options: how the video is to be decoded.
        shape: of the latents, (B, C, F, H, W).
        decoder: of the pipeline.
        settings: the bundle's.

    Raises:
        RequestError: it does not, or they are no whole number of latents.
    """
    if options.tiles is not None and (problem := refusal(options.tiles, shape, decoder, settings)):
        raise RequestError(f"Tiles of {options.tiles} do not fit this video and its engine. {problem}")


def refusal(tiles: Tiles, shape: Sequence[int], decoder: VaeDecoder, settings: LtxSettings) -> str | None:
    """Says in a sentence which tile of a video the engine was not built for, or None."""
    spatial, temporal = settings.spatial_compression, settings.temporal_compression
    for time, rows, columns in sorted(tile_shapes(in_latents(tiles, settings), *shape[2:])):
        video = VideoSize(height=rows * spatial, width=columns * spatial, num_frames=(time - 1) * temporal + 1)
        size = {"height": video.height, "width": video.width, "num_frames": video.num_frames}
        sizes = axis_sizes(settings, **size, text_tokens=1, batch=shape[0])
        if problem := decoder.engine.refusal(sizes, video):
            return problem
    return None


def _after(given: int, parts: Iterator[FloatArray]) -> Iterator[FloatArray]:
    """What follows the frames that were given already."""
    for part in parts:
        if given < part.shape[_TIME]:
            yield part[:, :, given:] if given else part
        given = max(given - part.shape[_TIME], 0)
