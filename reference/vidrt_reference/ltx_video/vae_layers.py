"""What both halves of LTX-Video's VAE are made of; parts are named as diffusers names them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from vidrt_reference.layers import rms_normalised
from vidrt_reference.ltx_video.vae_time import CLIP
from vidrt_reference.precision import narrowed, widened

if TYPE_CHECKING:
    from collections.abc import Iterator

    from vidrt_reference.ltx_video.vae_time import Time

PIXEL_NORM_EPS = 1e-8
_KERNEL = 3


def pixel_normalised(x: Tensor) -> Tensor:
    """Divide each voxel's channels by their root mean square: (B, C, F, H, W) -> (B, C, F, H, W)."""
    return rms_normalised(x, dim=1, eps=PIXEL_NORM_EPS)


def channel_values(embedding: Tensor, table: Tensor) -> tuple[Tensor, ...]:
    """Split an embedding (B, N C), with the table (N, C) added, into N values of shape (B, C, 1, 1, 1)."""
    values = (embedding + table.flatten())[..., None, None, None]
    return values.chunk(table.shape[0], dim=1)


class CausalConv3d(nn.Module):
    """A 3D convolution with edge frames repeated in time: the first in front where causal, else one at either end."""

    def __init__(self, dim_in: int, dim_out: int, *, causal: bool, kernel: int = _KERNEL, stride: int = 1) -> None:
        super().__init__()
        self.front = kernel - 1 if causal else kernel // 2
        self.back = kernel - 1 - self.front
        self.keep = kernel - stride
        padding = (0, kernel // 2, kernel // 2)
        self.conv = nn.Conv3d(dim_in, dim_out, kernel, stride=stride, padding=padding)

    def forward(self, x: Tensor, time: Time = CLIP) -> Tensor:
        """(B, dim_in, F, H, W) -> (B, dim_out, F, H, W) in the weights' dtype, smaller by the stride."""
        x = narrowed(x, self.conv.weight.dtype)
        if self.front:
            x = time.extended(x, self.front, self.back, self.keep)
        convolved: Tensor = self.conv(x)
        return convolved


class ChannelLayerNorm(nn.LayerNorm):
    """Layer norm over the channels of each voxel, in fp32.

    The channels move to the end and, in memory too, back: sums over strided channels and a convolution over strided
    voxels would each round otherwise than the oracle, and what follows magnifies that tenfold.
    """

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, F, H, W) -> (B, C, F, H, W)."""
        weight, bias = widened(self.weight), widened(self.bias)
        last = nn.functional.layer_norm(widened(x).movedim(1, -1), self.normalized_shape, weight, bias, self.eps)
        return last.movedim(-1, 1).contiguous()


class ResnetBlock(nn.Module):
    """Two convolutions behind pixel norms and SiLU, with a shortcut.

    With `conditioned`, the timestep scales and shifts what is normed; with `inject_noise`, a map of noise is added
    behind each convolution, the same for all frames, each channel scaling it in its own way.
    """

    per_channel_scale1: nn.Parameter | None
    per_channel_scale2: nn.Parameter | None
    scale_shift_table: nn.Parameter | None

    def __init__(
        self,
        dim_in: int,
        dim_out: int,
        *,
        causal: bool,
        eps: float,
        inject_noise: bool = False,
        conditioned: bool = False,
    ) -> None:
        super().__init__()
        self.conv1 = CausalConv3d(dim_in, dim_out, causal=causal)
        self.conv2 = CausalConv3d(dim_out, dim_out, causal=causal)
        self.widens = dim_in != dim_out
        if self.widens:
            self.norm3 = ChannelLayerNorm(dim_in, eps=eps)
            self.conv_shortcut = CausalConv3d(dim_in, dim_out, causal=causal, kernel=1)
        self.per_channel_scale1 = nn.Parameter(torch.zeros(dim_in, 1, 1)) if inject_noise else None
        self.per_channel_scale2 = nn.Parameter(torch.zeros(dim_in, 1, 1)) if inject_noise else None
        self.scale_shift_table = nn.Parameter(torch.zeros(4, dim_in)) if conditioned else None

    def forward(self, x: Tensor, embedding: Tensor | None, noise: Iterator[Tensor], time: Time = CLIP) -> Tensor:
        """Run the block.

        Args:
            x: (B, dim_in, F, H, W).
            embedding: the timestep's, (B, 4 dim_in), where conditioned.
            noise: its next two maps (H, W) are taken where noise is injected.
            time: what is around these frames.

        Returns:
            (B, dim_out, F, H, W).
        """
        first, second = self._modulations(embedding)
        hidden = self.conv1(nn.functional.silu(_modulated(pixel_normalised(x), first)), time)
        hidden = _noised(hidden, self.per_channel_scale1, noise)
        hidden = self.conv2(nn.functional.silu(_modulated(pixel_normalised(hidden), second)), time)
        hidden = _noised(hidden, self.per_channel_scale2, noise)
        x = time.delayed(x, self.conv1.back + self.conv2.back, hidden)
        shortcut: Tensor = self.conv_shortcut(self.norm3(x)) if self.widens else x
        return hidden + shortcut

    def _modulations(self, embedding: Tensor | None) -> tuple[tuple[Tensor, ...], tuple[Tensor, ...]]:
        if self.scale_shift_table is None or embedding is None:
            return (), ()
        values = channel_values(embedding, self.scale_shift_table)
        return values[:2], values[2:]


def _modulated(x: Tensor, modulation: tuple[Tensor, ...]) -> Tensor:
    if not modulation:
        return x
    shift, scale = modulation
    return x * (1 + scale) + shift


def _noised(x: Tensor, scale: Tensor | None, noise: Iterator[Tensor]) -> Tensor:
    return x if scale is None else x + (next(noise) * scale).unsqueeze(1)  # (C, 1, H, W)
