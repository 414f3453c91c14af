"""The latent upsampler of LTX-Video: twice the rows and columns of latents, between two passes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

from torch import Tensor, nn

from vidrt_reference.checkpoint.config import Config
from vidrt_reference.checkpoint.errors import CheckpointError
from vidrt_reference.convolutions import NORM_GROUPS, Conv2d, Conv3d, GroupNorm
from vidrt_reference.shapes import merge_axes, split_like

if TYPE_CHECKING:
    from collections.abc import Mapping

_EPS = 1e-5
_GROWTH = 2  # what becomes of a side
_PLANE, _VOLUME = 2, 3


@dataclass(frozen=True, kw_only=True)
class LatentUpsamplerParams:
    """The upsampler's form, named as in diffusers' config.json.

    Attributes:
        in_channels: of the latents.
        mid_channels: of all that lies between.
        num_blocks_per_stage: residual blocks before the rows and columns grow, and again after.
        dims: 3 where convolutions and norms see all frames, 2 where they see each alone.
    """

    in_channels: int = 128
    mid_channels: int = 512
    num_blocks_per_stage: int = 4
    dims: int = _VOLUME

    def __post_init__(self) -> None:
        if self.dims not in (_PLANE, _VOLUME) or self.mid_channels % NORM_GROUPS:
            raise CheckpointError(
                f"The latent upsampler was expected to have 2 or 3 dims and a multiple of {NORM_GROUPS} mid_channels, "
                f"not {self.dims} and {self.mid_channels}: use a published one."
            )

    @classmethod
    def from_config(cls, values: Mapping[str, object]) -> Self:
        """Read a configuration, diffusers' or the official one; keys that begin with an underscore are ignored.

        Raises:
            CheckpointError: a value is of the wrong type, or the upsampler makes frames and not pixels.
        """
        config = Config(what="latent upsampler", values=values, where="configuration")
        if config.flag("temporal_upsample", default=False):
            raise CheckpointError(
                "This is LTX-Video's temporal upscaler, which makes more frames and is not supported: "
                "give the spatial one, such as ltxv-spatial-upscaler-0.9.8.safetensors."
            )
        config.require("spatial_upsample", True, default=True)
        config.refuse_others({*cls.__dataclass_fields__, "spatial_upsample", "temporal_upsample"})
        return cls(
            in_channels=config.integer("in_channels", cls.in_channels),
            mid_channels=config.integer("mid_channels", cls.mid_channels),
            num_blocks_per_stage=config.integer("num_blocks_per_stage", cls.num_blocks_per_stage),
            dims=config.integer("dims", cls.dims),
        )


class ResidualBlock(nn.Module):
    """Two convolutions before group norms, and SiLU behind the sum too."""

    def __init__(self, params: LatentUpsamplerParams) -> None:
        super().__init__()
        self.conv1 = _convolution(params.mid_channels, params.mid_channels, params)
        self.norm1 = GroupNorm(params.mid_channels, eps=_EPS)
        self.conv2 = _convolution(params.mid_channels, params.mid_channels, params)
        self.norm2 = GroupNorm(params.mid_channels, eps=_EPS)

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, ...) -> (N, C, ...)."""
        hidden = nn.functional.silu(self.norm1(self.conv1(x)))
        return nn.functional.silu(self.norm2(self.conv2(hidden)) + x)


class LatentUpsampler(nn.Module):
    """Upsamples latents; parameters are named as in diffusers' `LTXLatentUpsamplerModel` and in the official files."""

    def __init__(self, params: LatentUpsamplerParams) -> None:
        super().__init__()
        inner, blocks = params.mid_channels, range(params.num_blocks_per_stage)
        self.params = params
        self.initial_conv = _convolution(params.in_channels, inner, params)
        self.initial_norm = GroupNorm(inner, eps=_EPS)
        self.res_blocks = nn.ModuleList(ResidualBlock(params) for _ in blocks)
        grow = Conv2d(inner, _GROWTH**2 * inner, 3, padding=1)
        self.upsampler = nn.Sequential(grow, nn.PixelShuffle(_GROWTH))
        self.post_upsample_res_blocks = nn.ModuleList(ResidualBlock(params) for _ in blocks)
        self.final_conv = _convolution(inner, params.in_channels, params)

    def forward(self, latents: Tensor) -> Tensor:
        """De-normalised latents (B, C, F, H, W) -> (B, C, F, 2 H, 2 W)."""
        clips = latents.transpose(1, 2)
        if self.params.dims == _VOLUME:
            return self._finished(self._framewise(self._begun(latents)))
        x = self._finished(self.upsampler(self._begun(merge_axes(clips, 0, 2))))
        return split_like(x, 0, clips, 0, 2).transpose(1, 2)

    def _begun(self, x: Tensor) -> Tensor:
        x = nn.functional.silu(self.initial_norm(self.initial_conv(x)))
        for block in self.res_blocks:
            x = block(x)
        return x

    def _framewise(self, x: Tensor) -> Tensor:
        clips = x.transpose(1, 2)  # (B, F, C, H, W)
        return split_like(self.upsampler(merge_axes(clips, 0, 2)), 0, clips, 0, 2).transpose(1, 2)

    def _finished(self, x: Tensor) -> Tensor:
        for block in self.post_upsample_res_blocks:
            x = block(x)
        final: Tensor = self.final_conv(x)
        return final


def _convolution(dim_in: int, dim_out: int, params: LatentUpsamplerParams) -> nn.Module:
    return (Conv3d if params.dims == _VOLUME else Conv2d)(dim_in, dim_out, 3, padding=1)
