"""What encoding pictures and videos takes, at once or by streaming."""

from collections.abc import Mapping

from vidrt_engines.manifest import Engine
from vidrt_engines.names import Component

from vidrt.planning.engines import LatentSize, Need, run_bytes, streams, weights
from vidrt.planning.streaming import streamed_bytes

_PIXEL = 3 * 4  # bytes in fp32

Sizes = Mapping[str, int]


def encoding_need(engine: Engine, sizes: Sizes, *, chunk: int | None = None) -> Need:
    """What a clip takes that lies in memory in fp32.

    Args:
        engine: of LTX-Video's VAE encoder; the build has counted what it takes.
        sizes: of the axes of the whole clip.
        chunk: so many frames at a time; None is all at once.
    """
    kept = weights(engine)
    if chunk is None:
        return Need(own=run_bytes(Component.VAE_ENCODER, engine, sizes) + kept.own, mapped=kept.mapped)
    size = LatentSize(frames=sizes["frames"], rows=sizes["latent_rows"], columns=sizes["latent_columns"])
    clip = sizes["frames"] * sizes["rows"] * sizes["columns"] * _PIXEL
    return Need(own=streamed_bytes(Component.VAE_ENCODER, engine, size, chunk) + clip, mapped=kept.mapped)


def fitting_encoding(engine: Engine, sizes: Sizes, chunk: int, limit: int | None) -> tuple[Need, bool]:
    """What a clip takes by the way that a limit leaves, and whether that is by streaming."""
    whole = encoding_need(engine, sizes)
    if limit is None or whole.own <= limit or not streams(engine):
        return whole, False
    parts = encoding_need(engine, sizes, chunk=chunk)
    return (parts, True) if parts.own < whole.own else (whole, False)
