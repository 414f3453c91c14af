"""The encoder of LTX-Video's VAE: from frames to the moments of their latents."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from vidrt_reference.ltx_video.vae_blocks import DownBlock, MidBlock
from vidrt_reference.ltx_video.vae_layers import CausalConv3d, pixel_normalised
from vidrt_reference.ltx_video.vae_plan import down_blocks
from vidrt_reference.ltx_video.vae_time import CLIP
from vidrt_reference.shapes import merge_axes, split_axis

if TYPE_CHECKING:
    from vidrt_reference.ltx_video.vae_params import VaeParams
    from vidrt_reference.ltx_video.vae_time import Time


def patched(frames: Tensor, size: int) -> Tensor:
    """Move square patches to channels, column before row: (B, C, F, H, W) -> (B, C * size², F, H / size, W / size)."""
    squares = split_axis(split_axis(frames, 4, [-1, size]), 3, [-1, size])  # (B, C, F, H', rows, W', columns)
    return merge_axes(squares.permute(0, 1, 6, 4, 2, 3, 5), 1, 3)


class VaeEncoder(nn.Module):
    """Encodes frames; parameters are named as in diffusers' `AutoencoderKLLTXVideo` below `encoder.`."""

    def __init__(self, params: VaeParams) -> None:
        super().__init__()
        blocks = down_blocks(params)
        first, last, causal = params.block_out_channels[0], blocks[-1].out_channels, params.encoder_causal
        self.params = params
        self.conv_in = CausalConv3d(params.in_channels * params.patch_size**2, first, causal=causal)
        self.down_blocks = nn.ModuleList(DownBlock(block, params) for block in blocks)
        self.mid_block = MidBlock(last, layers=params.layers_per_block[-1], eps=params.resnet_norm_eps, causal=causal)
        self.conv_out = CausalConv3d(last, params.latent_channels + 1, causal=causal)

    def forward(self, frames: Tensor) -> Tensor:
        """Encode frames.

        Args:
            frames: (B, 3, F, H, W) in -1 to 1; F is 8 n + 1, H and W are multiples of the spatial compression.

        Returns:
            The moments (B, 2 C, F', H', W'): C means and C logarithms of variances, which are all the same.
        """
        return self.run(frames, CLIP)

    def run(self, frames: Tensor, time: Time) -> Tensor:
        """Encode frames that have others around them; shapes as in `forward`."""
        x = self.conv_in(patched(frames, self.params.patch_size), time)
        for block in self.down_blocks:
            x = block(x, time)
        x = self.mid_block(x, None, iter(()), time)
        x = self.conv_out(nn.functional.silu(pixel_normalised(x)), time)
        return torch.cat([x, *[x[:, -1:]] * (self.params.latent_channels - 1)], dim=1)
