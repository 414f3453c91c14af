"""The phases of a run and what each takes in memory."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from vidrt_engines.manifest import Engine
from vidrt_engines.names import Component
from vidrt_engines.settings import LtxSettings

from vidrt.components.tiles import Tiles
from vidrt.components.vae_decoder import passes_by
from vidrt.pipelines.decode_options import DecodeOptions
from vidrt.planning.decoding import Decoding
from vidrt.planning.engines import LatentSize, Need, is_known, run_bytes, weights

NAMES = {
    Component.TEXT_ENCODER: "text encoding",
    Component.IMAGE_ENCODER: "image encoding",
    Component.VAE_ENCODER: "encoding pictures",
    Component.TRANSFORMER: "denoising",
    Component.UNET: "denoising",
    Component.LATENT_UPSAMPLER: "upscaling",
    Component.VAE_DECODER: "decoding whole",
}

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


def decoding_ways(
    engine: Engine, sizes: Sizes, settings: LtxSettings, tiled: Sequence[Tiles], videos: int = 1
) -> Iterator[Phase]:
    """Each way of decoding a video: streamed where the engine has stages, and in tiles.

    Args:
        engine: of the decoder.
        sizes: of the whole video's axes.
        settings: the bundle's.
        tiled: the tiles to tell of.
        videos: how many are decoded, one after the other.
    """
    if not is_known(engine):
        named = ("by streaming", None), *((f"in tiles of {tiles}", tiles) for tiles in tiled)
        yield from (
            _way(name, None, tiles) for name, tiles in named if tiles or passes_by(engine, sizes["latent_frames"])
        )
        return
    size = LatentSize(frames=sizes["latent_frames"], rows=sizes["latent_rows"], columns=sizes["latent_columns"])
    decoding = Decoding(engine=engine, settings=settings, latents=size, videos=videos)
    if passes_by(engine, size.frames):
        yield _way("by streaming", decoding.need(DecodeOptions()), None)
    for tiles in tiled:
        yield _way(f"in tiles of {tiles}", decoding.need(DecodeOptions(tiles=tiles)), tiles)


def _way(name: str, need: Need | None, tiles: Tiles | None) -> Phase:
    return Phase(name=f"decoding {name}", component=Component.VAE_DECODER, need=need, tiles=tiles)


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
