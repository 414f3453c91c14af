"""The decoder of Stable Video Diffusion's VAE: from the latents of some frames to the frames."""

from __future__ import annotations

from typing import TYPE_CHECKING

from torch import Tensor, nn

from vidrt_reference.convolutions import Conv2d, Conv3d, GroupNorm
from vidrt_reference.shapes import merge_axes, split_like
from vidrt_reference.svd.layers import Upsampler
from vidrt_reference.svd.resnet import SpatioTemporalResnetBlock
from vidrt_reference.svd.vae_attention import PixelAttention
from vidrt_reference.svd.vae_params import LAYERS

if TYPE_CHECKING:
    from vidrt_reference.svd.vae_params import VaeParams

_SPATIAL_EPS, _TEMPORAL_EPS = 1e-6, 1e-5


class MidBlock(nn.Module):
    """An attention between two ResNets."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.resnets = nn.ModuleList(_resnet(dim, dim) for _ in range(LAYERS))
        self.attentions = nn.ModuleList([PixelAttention(dim)])

    def forward(self, x: Tensor, clips: Tensor) -> Tensor:
        """X (B * F, dim, H, W), clips (B, F, ...) -> (B * F, dim, H, W)."""
        output: Tensor = self.resnets[1](self.attentions[0](self.resnets[0](x, clips)), clips)
        return output


class DecoderBlock(nn.Module):
    """Some ResNets, and then twice the rows and columns."""

    upsamplers: nn.ModuleList | None

    def __init__(self, dim_in: int, dim_out: int, *, upsample: bool) -> None:
        super().__init__()
        self.resnets = nn.ModuleList(_resnet(dim, dim_out) for dim in (dim_in, *[dim_out] * LAYERS))
        self.upsamplers = nn.ModuleList([Upsampler(dim_out)]) if upsample else None

    def forward(self, x: Tensor, clips: Tensor) -> Tensor:
        """X (B * F, dim_in, H, W), clips (B, F, ...) -> (B * F, dim_out, H', W')."""
        for resnet in self.resnets:
            x = resnet(x, clips)
        return x if self.upsamplers is None else self.upsamplers[0](x)


class VaeDecoder(nn.Module):
    """Decodes latents; parameters are named as in diffusers' `AutoencoderKLTemporalDecoder` below `decoder.`."""

    def __init__(self, params: VaeParams) -> None:
        super().__init__()
        widths = params.block_out_channels[::-1]
        dims_in = (widths[0], *widths[:-1])
        self.params = params
        self.conv_in = Conv2d(params.latent_channels, widths[0], 3, padding=1)
        self.mid_block = MidBlock(widths[0])
        self.up_blocks = nn.ModuleList(
            DecoderBlock(dim_in, dim_out, upsample=number < len(widths) - 1)
            for number, (dim_in, dim_out) in enumerate(zip(dims_in, widths, strict=True))
        )
        self.conv_norm_out = GroupNorm(widths[-1], eps=_SPATIAL_EPS)
        self.conv_out = Conv2d(widths[-1], params.out_channels, 3, padding=1)
        self.time_conv_out = Conv3d(params.out_channels, params.out_channels, (3, 1, 1), padding=(1, 0, 0))

    def forward(self, latents: Tensor) -> Tensor:
        """Decode the latents of frames that are seen together: a whole clip, or a chunk of one.

        Args:
            latents: (B, F, 4, H, W), divided by the scaling factor.

        Returns:
            Frames (B, F, 3, H * 8, W * 8), about -1 to 1.
        """
        x = self.mid_block(self.conv_in(merge_axes(latents, 0, 2)), latents)
        for block in self.up_blocks:
            x = block(x, latents)
        frames = self.conv_out(nn.functional.silu(self.conv_norm_out(x)))
        smoothed: Tensor = self.time_conv_out(split_like(frames, 0, latents, 0, 2).transpose(1, 2))
        return smoothed.transpose(1, 2)


def _resnet(dim_in: int, dim_out: int) -> SpatioTemporalResnetBlock:
    return SpatioTemporalResnetBlock(dim_in, dim_out, eps=_SPATIAL_EPS, temporal_eps=_TEMPORAL_EPS, swapped=True)
