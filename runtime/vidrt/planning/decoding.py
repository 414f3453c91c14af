"""What decoding takes, by each way: at once, by streaming, in tiles."""

import dataclasses
from collections.abc import Iterator
from dataclasses import dataclass

from vidrt_engines.axes import axis_sizes
from vidrt_engines.manifest import Engine
from vidrt_engines.names import Component
from vidrt_engines.settings import LtxSettings

from vidrt.components.tiles import LatentTiles, Tiles
from vidrt.components.tiling import tile_shapes
from vidrt.components.vae_decoder import passes_by
from vidrt.pipelines.decode_options import DecodeOptions
from vidrt.planning.engines import LatentSize, Need, run_bytes, weights
from vidrt.planning.streaming import streamed_bytes

_LARGEST, _SHORTEST = 512, 16  # pixels and frames of tiles that are looked at
_BYTES, _FLOATS = 3, 3 * 4  # of a pixel


@dataclass(frozen=True, kw_only=True)
class Decoding:
    """Videos that are to be decoded, and what does it.

    Attributes:
        engine: of the decoder; the build has counted what it takes.
        settings: the bundle's.
        latents: of one video: its frames, rows and columns.
        videos: how many.
    """

    engine: Engine
    settings: LtxSettings
    latents: LatentSize
    videos: int = 1

    def need(self, options: DecodeOptions) -> Need:
        """What it takes in one way, with the frames as bytes where they are kept."""
        together = 1 if options.slicing else self.videos
        size = dataclasses.replace(self.latents, batch=together)
        own = self._seen(size) if options.tiles is None else self._tiled(size, self._in_latents(options.tiles))
        kept = self.videos * self._pixels(self.latents) * _BYTES if options.keeps_frames else 0
        held = weights(self.engine, is_streamed=options.tiles is None and passes_by(self.engine, self.latents.frames))
        return Need(own=own + kept + held.own, mapped=held.mapped)

    def ways(self, options: DecodeOptions) -> Iterator[DecodeOptions]:
        """The ways that there are, the one that there is without a limit first, then tiles, the largest first.

        Args:
            options: what is asked for: tiles are the only way then.
        """
        yield options
        if options.tiles is not None:
            return
        seen = {frozenset([self.latents.shape])}
        for tiles in self._tiles():
            cut = frozenset(tile_shapes(self._in_latents(tiles), *self.latents.shape))
            if cut not in seen:
                seen.add(cut)
                yield dataclasses.replace(options, tiles=tiles)

    def _tiles(self) -> Iterator[Tiles]:
        """Half as large again and again, and of each size ever fewer frames."""
        side = _LARGEST
        while side >= self.settings.spatial_compression:
            yield Tiles(height=side, width=side)
            for frames in (4 * _SHORTEST, 2 * _SHORTEST, _SHORTEST):
                yield Tiles(height=side, width=side, frames=frames)
            side //= 2

    def _in_latents(self, tiles: Tiles) -> LatentTiles:
        return tiles.in_latents(self.settings.spatial_compression, self.settings.temporal_compression)

    def _seen(self, size: LatentSize, *, is_tile: bool = False) -> int:
        """What the decoder takes for what it sees in one call, with the frames that it gives."""
        if passes_by(self.engine, size.frames):
            return streamed_bytes(Component.VAE_DECODER, self.engine, size)
        frames, rows, columns = size.shape
        spatial = self.settings.spatial_compression
        pixels = {"height": rows * spatial, "width": columns * spatial}
        count = (frames - 1) * self.settings.temporal_compression + 1
        sizes = axis_sizes(self.settings, **pixels, num_frames=count, text_tokens=1, batch=size.batch)
        return run_bytes(Component.VAE_DECODER, self.engine, sizes, is_tile=is_tile)

    def _tiled(self, size: LatentSize, tiles: LatentTiles) -> int:
        """The largest tile, its frames, and all frames that tiles of the same time are put together to."""
        shape = max(tile_shapes(tiles, *size.shape), key=lambda tile: tile[0] * tile[1] * tile[2])
        tile = LatentSize.of(shape, batch=size.batch)
        mosaic = LatentSize.of((shape[0], *size.shape[1:]), batch=size.batch)
        gathered = self._pixels(tile) * _FLOATS if passes_by(self.engine, tile.frames) else 0
        return self._seen(tile, is_tile=True) + gathered + self._pixels(mosaic) * _FLOATS

    def _pixels(self, size: LatentSize) -> int:
        frames, rows, columns = size.shape
        count = (frames - 1) * self.settings.temporal_compression + 1
        return size.batch * count * rows * columns * self.settings.spatial_compression**2
