"""The attention in the middle of both halves of Stable Video Diffusion's VAE."""

from __future__ import annotations

from torch import Tensor, nn

from vidrt_reference.attention import Attend, attend
from vidrt_reference.convolutions import GroupNorm
from vidrt_reference.layers import Linear
from vidrt_reference.shapes import merge_axes, split_like

_NORM_EPS = 1e-6


class PixelAttention(nn.Module):
    """Attention of each place to all places of its frame, with a single head as wide as the channels."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.attend: Attend = attend
        self.group_norm = GroupNorm(dim, eps=_NORM_EPS)
        self.to_q = Linear(dim, dim)
        self.to_k = Linear(dim, dim)
        self.to_v = Linear(dim, dim)
        self.to_out = nn.ModuleList([Linear(dim, dim)])

    def forward(self, x: Tensor) -> Tensor:
        """(N, dim, H, W) -> (N, dim, H, W)."""
        tokens = merge_axes(self.group_norm(x), 2, 2).transpose(1, 2)  # (N, H * W, dim)
        mixed = self.attend(self.to_q(tokens), self.to_k(tokens), self.to_v(tokens), heads=1)
        return split_like(self.to_out[0](mixed).transpose(1, 2), 2, x, 2, 2) + x
