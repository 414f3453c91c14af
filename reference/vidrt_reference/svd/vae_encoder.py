"""The encoder of Stable Video Diffusion's VAE: from an image to the moments of its latents."""

from __future__ import annotations

from typing import TYPE_CHECKING

from torch import Tensor, nn

from vidrt_reference.convolutions import Conv2d, GroupNorm
from vidrt_reference.svd.layers import Downsampler
from vidrt_reference.svd.resnet import ResnetBlock
from vidrt_reference.svd.vae_attention import PixelAttention
from vidrt_reference.svd.vae_params import LAYERS

if TYPE_CHECKING:
    from vidrt_reference.svd.vae_params import VaeParams

_EPS = 1e-6


class EncoderBlock(nn.Module):
    """Some ResNets, and then half the rows and columns."""

    downsamplers: nn.ModuleList | None

    def __init__(self, dim_in: int, dim_out: int, *, downsample: bool) -> None:
        super().__init__()
        dims_in = (dim_in, *[dim_out] * (LAYERS - 1))
        self.resnets = nn.ModuleList(ResnetBlock(dim, dim_out, eps=_EPS) for dim in dims_in)
        self.downsamplers = nn.ModuleList([Downsampler(dim_out, one_sided=True)]) if downsample else None

    def forward(self, x: Tensor) -> Tensor:
        """(B, dim_in, H, W) -> (B, dim_out, H', W')."""
        for resnet in self.resnets:
            x = resnet(x)
        return x if self.downsamplers is None else self.downsamplers[0](x)


class MidBlock(nn.Module):
    """An attention between two ResNets."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.resnets = nn.ModuleList(ResnetBlock(dim, dim, eps=_EPS) for _ in range(2))
        self.attentions = nn.ModuleList([PixelAttention(dim)])

    def forward(self, x: Tensor) -> Tensor:
        """(B, dim, H, W) -> (B, dim, H, W)."""
        output: Tensor = self.resnets[1](self.attentions[0](self.resnets[0](x)))
        return output


class VaeEncoder(nn.Module):
    """Encodes an image.

    Parameters are named as in diffusers' `AutoencoderKLTemporalDecoder` below `encoder.`, and `quant_conv` beside them.
    """

    def __init__(self, params: VaeParams) -> None:
        super().__init__()
        widths, moments = params.block_out_channels, 2 * params.latent_channels
        dims_in = (widths[0], *widths[:-1])
        self.params = params
        self.conv_in = Conv2d(params.in_channels, widths[0], 3, padding=1)
        self.down_blocks = nn.ModuleList(
            EncoderBlock(dim_in, dim_out, downsample=number < len(widths) - 1)
            for number, (dim_in, dim_out) in enumerate(zip(dims_in, widths, strict=True))
        )
        self.mid_block = MidBlock(widths[-1])
        self.conv_norm_out = GroupNorm(widths[-1], eps=_EPS)
        self.conv_out = Conv2d(widths[-1], moments, 3, padding=1)
        self.quant_conv = Conv2d(moments, moments, 1)

    def forward(self, image: Tensor) -> Tensor:
        """Encode an image.

        Args:
            image: (B, 3, H, W) in -1 to 1; H and W are multiples of the compression.

        Returns:
            The moments (B, 2 C, H / 8, W / 8): C means, unscaled, and C logarithms of variances.
        """
        x = self.conv_in(image)
        for block in self.down_blocks:
            x = block(x)
        x = nn.functional.silu(self.conv_norm_out(self.mid_block(x)))
        moments: Tensor = self.quant_conv(self.conv_out(x))
        return moments
