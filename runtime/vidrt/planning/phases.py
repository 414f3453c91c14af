"""The phases of a run and what each takes in memory."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from vidrt_engines.axes import axis_sizes
from vidrt_engines.manifest import Engine
from vidrt_engines.names import Backend, Component
from vidrt_engines.settings import LtxSettings

from vidrt.components.tiles import LatentTiles, Tiles
from vidrt.components.tiling import tile_shapes
from vidrt.planning.engines import Need, is_known, run_bytes, streamed_bytes, weights

NAMES = {
    Component.TEXT_ENCODER: "text encoding",
    Component.IMAGE_ENCODER: "image encoding",
    Component.VAE_ENCODER: "encoding pictures",
    Component.TRANSFORMER: "denoising",
    Component.UNET: "denoising",
    Component.LATENT_UPSAMPLER: "upscaling",
    Component.VAE_DECODER: "decoding whole",
}
_PIXEL = 3 * 4  # bytes in fp32

Sizes = Mapping[str, int]


@dataclass(frozen=True, kw_only=True)
class Phase:
    """A phase of a run, or one way of doing it.

    Attributes:
        name: as people call it.
        component: that works in it.
        need: None where the build of the engine has not counted it.
        tiles: of a way of decoding.
    """

    name: str
    component: Component
    need: Need | None
    tiles: Tiles | None = None


def phases(by_component: Iterable[tuple[Component, Sizes]], engines: Mapping[str, Engine]) -> list[Phase]:
    """What each component takes at the sizes that a run gives it, the most of them where there are several.

    A component that comes back at another size has another pass: its phase gets a number.
    """
    found: list[Phase] = []
    for component, group in _grouped(by_component):
        engine = engines[component]
        needs = [_need(component, engine, sizes) for sizes in group]
        for number, need in enumerate(needs, 1):
            name = NAMES[component] + (f", pass {number}" if len(needs) > 1 else "")
            found.append(Phase(name=name, component=component, need=need))
    return found


def decoding_ways(engine: Engine, sizes: Sizes, settings: LtxSettings, tiled: Sequence[Tiles]) -> Iterator[Phase]:
    """Each way of decoding a video: streamed where the engine has stages, and in tiles.

    Args:
        engine: of the decoder.
        sizes: of the whole video's axes.
        settings: the bundle's.
        tiled: the tiles to tell of.
    """
    if engine.stages and engine.backend is Backend.ONNXRUNTIME:
        need = None
        if is_known(engine):
            grid = sizes["latent_frames"], sizes["latent_rows"], sizes["latent_columns"]
            own = streamed_bytes(Component.VAE_DECODER, engine, *grid)
            need = Need(own=own, mapped=weights(engine).mapped)
        yield Phase(name="decoding by streaming", component=Component.VAE_DECODER, need=need)
    for tiles in tiled:
        cut = tiles.in_latents(settings.spatial_compression, settings.temporal_compression)
        need = _tiled(engine, sizes, settings, cut) if is_known(engine) else None
        yield Phase(name=f"decoding in tiles of {tiles}", component=Component.VAE_DECODER, need=need, tiles=tiles)


def _tiled(engine: Engine, sizes: Sizes, settings: LtxSettings, tiles: LatentTiles) -> Need:
    """The largest tile, by streaming where the engine can, beside all frames that tiles are put together to."""
    grid = sizes["latent_frames"], sizes["latent_rows"], sizes["latent_columns"]
    time, rows, columns = max(tile_shapes(tiles, *grid))
    spatial, temporal = settings.spatial_compression, settings.temporal_compression
    frames = (time - 1) * temporal + 1
    whole = frames * sizes["rows"] * sizes["columns"] * _PIXEL
    tile = frames * rows * columns * spatial**2 * _PIXEL
    if engine.stages:
        run = streamed_bytes(Component.VAE_DECODER, engine, time, rows, columns) + tile
    else:
        size = {"height": rows * spatial, "width": columns * spatial, "num_frames": frames}
        run = run_bytes(Component.VAE_DECODER, engine, axis_sizes(settings, **size, text_tokens=1))
    kept = weights(engine)
    return Need(own=run + whole + kept.own, mapped=kept.mapped)


def _need(component: Component, engine: Engine, sizes: Sizes) -> Need | None:
    if engine.activations is None:
        return None
    kept = weights(engine)
    return Need(own=run_bytes(component, engine, sizes) + kept.own, mapped=kept.mapped)


def _grouped(by_component: Iterable[tuple[Component, Sizes]]) -> Iterator[tuple[Component, list[Sizes]]]:
    """The distinct sizes of each component; of those that differ in the length of a prompt alone the longest."""
    groups: dict[Component, dict[tuple[tuple[str, int], ...], Sizes]] = {}
    for component, sizes in by_component:
        alike = tuple(sorted((axis, size) for axis, size in sizes.items() if axis != "text_tokens"))
        known = groups.setdefault(component, {})
        if sizes.get("text_tokens", 0) >= known.get(alike, {}).get("text_tokens", 0):
            known[alike] = sizes
    for component, group in groups.items():
        yield component, list(group.values())
