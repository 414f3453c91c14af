"""A video decoded tile by tile, blended as diffusers' AutoencoderKLLTXVideo blends.

A tile knows nothing of what lies outside, so its edges differ from the whole video's; where two overlap, one goes over
into the other linearly.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from itertools import product

import numpy as np

from vidrt.arrays import FloatArray
from vidrt.components.tiles import LatentTiles

Decode = Callable[[FloatArray, Sequence[FloatArray]], FloatArray]
"""Latents (B, C, F, H, W) and noise maps for them to frames (B, 3, 8·(F - 1) + 1, 32·H, 32·W)."""

_TIME, _HEIGHT, _WIDTH = 2, 3, 4


def decode_tiled(
    decode: Decode, latents: FloatArray, maps: Sequence[FloatArray], tiles: LatentTiles
) -> Iterator[FloatArray]:
    """Decodes a video tile by tile, and gives the frames of each tile in time as they are done.

    Args:
        decode: what decodes a tile.
        latents: de-normalised, (B, C, F, H, W).
        maps: the noise that the decoder injects, (rows, columns) each; a tile gets its part of them.
        tiles: in latents.

    Yields:
        The next frames (B, 3, some, 32·H, 32·W).
    """
    before: FloatArray | None = None
    cuts = tiles.cut_frames(latents.shape[_TIME])
    for cut in cuts:
        frames = _decode_grid(decode, latents[:, :, cut], maps, tiles)
        if tiles.frames is None or len(cuts) == 1:
            yield frames
            return
        if before is None:
            yield frames[:, :, : tiles.frames.kept + 1]
        else:
            frames = frames[:, :, :-1]
            _blend(before, frames, tiles.frames.blended, _TIME)
            yield frames[:, :, : tiles.frames.kept]
        before = _end(frames, tiles.frames.blended, _TIME)


def tile_counts(tiles: LatentTiles, frames: int, rows: int, columns: int) -> Counter[tuple[int, int, int]]:
    """How many tiles of a video have which latent frames, rows and columns."""
    cuts = (tiles.cut_frames(frames), *tiles.cut_grid(rows, columns))
    return Counter(product(*([cut.stop - cut.start for cut in along] for along in cuts)))


def tile_shapes(tiles: LatentTiles, frames: int, rows: int, columns: int) -> set[tuple[int, int, int]]:
    """The latent frames, rows and columns of all tiles of a video."""
    return set(tile_counts(tiles, frames, rows, columns))


def _decode_grid(decode: Decode, latents: FloatArray, maps: Sequence[FloatArray], tiles: LatentTiles) -> FloatArray:
    """Decodes all rows and columns of some frames."""
    rows, columns = latents.shape[_HEIGHT:]
    down, across = tiles.cut_grid(rows, columns)
    if len(down) == len(across) == 1:
        return decode(latents, maps)
    mosaic = _Mosaic(rows, columns, tiles)
    for row, column in product(down, across):
        parts = [_part(values, row, column, rows, columns) for values in maps]
        mosaic.put(decode(latents[:, :, :, row, column], parts), row, column)
    return mosaic.frames


class _Mosaic:
    """Tiles put beside and under each other, row by row; of each only what others blend with is kept."""

    def __init__(self, rows: int, columns: int, tiles: LatentTiles) -> None:
        self._tiles = tiles
        self._sides = rows * tiles.rows.unit, columns * tiles.columns.unit
        self._above: dict[int, FloatArray] = {}
        self._beside = self.frames = np.empty(0, np.float32)

    def put(self, tile: FloatArray, row: slice, column: slice) -> None:
        """Takes the next tile, which is changed."""
        down, across = self._tiles.rows, self._tiles.columns
        if row.start:
            _blend(self._above[column.start], tile, down.blended, _HEIGHT)
        if column.start:
            _blend(self._beside, tile, across.blended, _WIDTH)
        self._above[column.start] = _end(tile, down.blended, _HEIGHT)
        self._beside = _end(tile, across.blended, _WIDTH)
        if not self.frames.size:
            self.frames = np.empty((*tile.shape[:_HEIGHT], *self._sides), np.float32)
        kept = tile[..., : down.kept, : across.kept]
        place = self.frames[..., row.start * down.unit :, column.start * across.unit :]
        place[..., : kept.shape[_HEIGHT], : kept.shape[_WIDTH]] = kept


def _part(values: FloatArray, row: slice, column: slice, rows: int, columns: int) -> FloatArray:
    """What a tile gets of a map whose sides are multiples of the latents' rows and columns."""
    down, across = values.shape[0] // rows, values.shape[1] // columns
    return np.ascontiguousarray(
        values[row.start * down : row.stop * down, column.start * across : column.stop * across]
    )


def _end(tile: FloatArray, size: int, axis: int) -> FloatArray:
    """The last of a tile along an axis, in memory of its own: a view would keep all of it."""
    return np.moveaxis(tile, axis, 0)[max(tile.shape[axis] - size, 0) :].copy()


def _blend(end: FloatArray, tile: FloatArray, size: int, axis: int) -> None:
    """Lets a tile begin with what its neighbour ends with, in place.

    Args:
        end: of `_end`, that axis in front.
        tile: what is changed.
        size: over how many pixels or frames.
        axis: along which.
    """
    beginning = np.moveaxis(tile, axis, 0)
    size = min(size, len(end), len(beginning))
    if not size:
        return
    share = (np.arange(size, dtype=np.float32) / np.float32(size)).reshape(-1, 1, 1, 1, 1)
    beginning[:size] = end[len(end) - size :] * (1 - share) + beginning[:size] * share
