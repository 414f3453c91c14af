"""The forms of LTX-Video's VAE: what its config.json says."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any, NamedTuple, Self

from vidrt_reference.checkpoint.config import Config
from vidrt_reference.ltx_video.vae_forms import DownBlockType, Downsample

if TYPE_CHECKING:
    from collections.abc import Mapping


class Compression(NamedTuple):
    """How many pixels, and how many frames, one latent voxel stands for in each direction."""

    spatial: int
    temporal: int


@dataclass(frozen=True, kw_only=True)
class VaeParams:
    """Both halves of a VAE, named as in diffusers' config.json; the defaults are 0.9.0's.

    The decoder's lists are in the encoder's order, so that the decoder runs through them from their ends.
    """

    in_channels: int = 3
    out_channels: int = 3
    latent_channels: int = 128
    block_out_channels: tuple[int, ...] = (128, 256, 512, 512)
    down_block_types: tuple[str, ...] = (DownBlockType.RESNET,) * 4
    decoder_block_out_channels: tuple[int, ...] = (128, 256, 512, 512)
    layers_per_block: tuple[int, ...] = (4, 3, 3, 3, 4)
    decoder_layers_per_block: tuple[int, ...] = (4, 3, 3, 3, 4)
    spatio_temporal_scaling: tuple[bool, ...] = (True, True, True, False)
    decoder_spatio_temporal_scaling: tuple[bool, ...] = (True, True, True, False)
    decoder_inject_noise: tuple[bool, ...] = (False,) * 5
    downsample_type: tuple[str, ...] = (Downsample.CONV,) * 4
    upsample_residual: tuple[bool, ...] = (False,) * 4
    upsample_factor: tuple[int, ...] = (1,) * 4
    timestep_conditioning: bool = False
    patch_size: int = 4
    resnet_norm_eps: float = 1e-6
    scaling_factor: float = 1.0
    encoder_causal: bool = True
    decoder_causal: bool = False
    spatial_compression_ratio: int | None = None
    temporal_compression_ratio: int | None = None

    @classmethod
    def from_config(cls, values: Mapping[str, object]) -> Self:
        """Read diffusers' config.json; keys that begin with an underscore are ignored.

        Raises:
            CheckpointError: a value is of the wrong type or not implemented, or lists do not fit each other.
        """
        config = Config(what="VAE", values=values)
        config.require("patch_size_t", 1, default=1)
        config.refuse_others({*cls.__dataclass_fields__, "patch_size_t"})
        return cls(**{field.name: _read(config, field.name, field.default) for field in dataclasses.fields(cls)})


def compression(params: VaeParams) -> Compression:
    """Return how much smaller latents are than frames: as configured, else a factor 2 for each scaling."""
    halvings = 2 ** sum(params.spatio_temporal_scaling)
    return Compression(
        spatial=params.spatial_compression_ratio or params.patch_size * halvings,
        temporal=params.temporal_compression_ratio or halvings,
    )


def _read(config: Config, key: str, default: Any) -> Any:
    """Read a field by the type of its default."""
    if default is None:
        return config.optional_integer(key)
    if not isinstance(default, tuple):
        return {bool: config.flag, int: config.integer, float: config.number}[type(default)](key, default)
    if isinstance(default[0], StrEnum):
        return config.words(key, default, allowed=tuple(type(default[0])))
    return {bool: config.flags, int: config.integers}[type(default[0])](key, default)
