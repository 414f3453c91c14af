"""An official upscaler file: recognised by its names, and of the form that its metadata or its shapes tell."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vidrt_reference.checkpoint.errors import CheckpointError
from vidrt_reference.checkpoint.keys import count_below, some
from vidrt_reference.ltx_video.latent_upsampler import LatentUpsamplerParams
from vidrt_reference.ltx_video.original.config import metadata_config

if TYPE_CHECKING:
    from collections.abc import Mapping

    from vidrt_reference.checkpoint.stored import StoredTensor

_FIRST, _GROWING, _BLOCKS = "initial_conv.weight", "upsampler.0.weight", "res_blocks."
_MARKS = (_FIRST, "post_upsample_res_blocks.0.conv1.weight")
_PLANE_AXES = 4  # of a convolution's weights
# What the official code takes for a value that the configuration leaves out.
_DEFAULTS = {"in_channels": 4, "mid_channels": 128, "dims": 2}


def is_upscaler(stored: Mapping[str, StoredTensor]) -> bool:
    """Whether names are those of an upscaler, spatial or temporal."""
    return all(mark in stored for mark in _MARKS)


def upscaler_params(
    stored: Mapping[str, StoredTensor], metadata: Mapping[str, str], *, where: object
) -> LatentUpsamplerParams:
    """Tell a file's form by its own configuration or, where it has none, by its shapes.

    Raises:
        CheckpointError: it is no upscaler, or one that is not supported.
    """
    if not is_upscaler(stored):
        raise CheckpointError(
            f"Expected LTX-Video's spatial upscaler in {where}, but its tensors are of another kind ({some(stored)}): "
            f"give a file such as ltxv-spatial-upscaler-0.9.8.safetensors."
        )
    config = metadata_config(metadata, where)
    return LatentUpsamplerParams.from_config({**_DEFAULTS, **config} if config else _config_of_shapes(stored, where))


def _config_of_shapes(stored: Mapping[str, StoredTensor], where: object) -> dict[str, object]:
    first, growing = stored[_FIRST].shape, stored.get(_GROWING)
    if len(first) not in (_PLANE_AXES, _PLANE_AXES + 1) or growing is None:
        raise CheckpointError(f"Expected {_FIRST} and {_GROWING} of convolutions in {where}: download it again.")
    return {
        "in_channels": first[1],
        "mid_channels": first[0],
        "num_blocks_per_stage": count_below(_BLOCKS, stored),
        "dims": len(first) - 2,
        "temporal_upsample": len(growing.shape) != _PLANE_AXES,
    }
