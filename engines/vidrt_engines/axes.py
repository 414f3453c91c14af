"""The sizes of every named axis for a video of a given size."""

from vidrt_engines.components import Signature
from vidrt_engines.settings import LtxSettings
from vidrt_engines.svd_settings import SvdSettings
from vidrt_engines.versions import FIRST_PASS_SCALE


def axis_sizes(
    settings: LtxSettings | SvdSettings, *, height: int, width: int, num_frames: int, text_tokens: int, batch: int = 1
) -> dict[str, int]:
    """Sizes by axis name, over all components.

    Args:
        settings: how far the VAE compresses, and for LTX-Video how its noise maps scale.
        height: in pixels.
        width: in pixels.
        num_frames: of the video.
        text_tokens: of the prompt, where there is one.
        batch: how many videos.
    """
    rows, columns = height // settings.spatial_compression, width // settings.spatial_compression
    pixels = {"frames": num_frames, "rows": height, "columns": width}
    both = {"batch": batch, "latent_rows": rows, "latent_columns": columns, **pixels}
    if isinstance(settings, SvdSettings):
        return both
    latent_frames = (num_frames - 1) // settings.temporal_compression + 1
    maps = {
        f"{name}_x{scale}": size * scale
        for scale in set(settings.injected_noise)
        for name, size in (("rows", rows), ("columns", columns))
    }
    tokens = {"tokens": latent_frames * rows * columns, "timestep_tokens": 1, "text_tokens": text_tokens}
    return {**both, "latent_frames": latent_frames, **tokens, **maps}


def first_pass_side(pixels: int, unit: int) -> int:
    """Pixels along a side in the first of two passes: about two thirds, divisible by `unit`; the second has twice."""
    return int(pixels * FIRST_PASS_SCALE) // unit * unit


def axes_of(signature: Signature) -> set[str]:
    """The named axes that go into a component."""
    return {axis for spec in signature.inputs for axis in spec.axes if not axis.isdigit()}
