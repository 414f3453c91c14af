"""What more than one component of Stable Video Diffusion is made of; parts are named as diffusers names them."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from vidrt_reference.convolutions import Conv2d
from vidrt_reference.precision import narrowed, widened
from vidrt_reference.shapes import positions


class LayerNorm(nn.LayerNorm):
    """Layer norm of the last axis, in fp32."""

    def forward(self, x: Tensor) -> Tensor:
        """(..., dim) -> (..., dim) in the weights' dtype."""
        weight, bias = widened(self.weight), widened(self.bias)
        normed = nn.functional.layer_norm(widened(x), self.normalized_shape, weight, bias, self.eps)
        return narrowed(normed, self.weight.dtype)


class TimeMixer(nn.Module):
    """A learned share of what each frame says alone against what it says among the others.

    The UNet's factor is the share of the frame alone; the VAE's is, `swapped`, that of the frame among the others.
    """

    def __init__(self, *, swapped: bool = False) -> None:
        super().__init__()
        self.swapped = swapped
        self.mix_factor = nn.Parameter(torch.zeros(1))

    def forward(self, spatial: Tensor, temporal: Tensor) -> Tensor:
        """Two tensors of one shape -> their weighted sum, in the dtype of the first."""
        share = widened(self.mix_factor).sigmoid()
        share = 1.0 - share if self.swapped else share
        return narrowed(share * widened(spatial) + (1.0 - share) * widened(temporal), spatial.dtype)


class Downsampler(nn.Module):
    """Halves rows and columns by a strided convolution: an odd size is rounded up.

    The UNet pads all four sides; the VAE, `one_sided`, only the right and the bottom one.
    """

    def __init__(self, dim: int, *, one_sided: bool = False) -> None:
        super().__init__()
        self.one_sided = one_sided
        self.conv = Conv2d(dim, dim, 3, stride=2, padding=0 if one_sided else 1)

    def forward(self, x: Tensor) -> Tensor:
        """(N, dim, H, W) -> (N, dim, H / 2, W / 2)."""
        if self.one_sided:
            x = nn.functional.pad(x, (0, 1, 0, 1))
        halved: Tensor = self.conv(x)
        return halved


class Upsampler(nn.Module):
    """Doubles rows and columns by repeating them, and smooths by a convolution."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.conv = Conv2d(dim, dim, 3, padding=1)

    def forward(self, x: Tensor, like: Tensor | None = None) -> Tensor:
        """Enlarge.

        Args:
            x: (N, dim, H, W).
            like: (N, any, 2 H, 2 W), or one row or one column less: the size that is wanted, where it may be odd.

        Returns:
            (N, dim, 2 H, 2 W), or of the size that is wanted.
        """
        smoothed: Tensor = self.conv(_doubled(x) if like is None else _repeated(x, like))
        return smoothed


def _doubled(x: Tensor) -> Tensor:
    return nn.functional.interpolate(x, scale_factor=2.0, mode="nearest")


def _repeated(x: Tensor, like: Tensor) -> Tensor:
    """Take each row and column twice, looked up by position: so a traced graph holds for odd and even sizes."""
    for axis in (2, 3):
        x = x.index_select(axis, torch.div(positions(like, axis), 2, rounding_mode="floor"))
    return x
