"""Convolutions and group norms that more than one component is made of."""

from __future__ import annotations

from torch import Tensor, nn

from vidrt_reference.precision import narrowed, widened

NORM_GROUPS = 32


class Conv2d(nn.Conv2d):
    """A 2D convolution in the type of its weights, whatever the type of what comes in."""

    def forward(self, x: Tensor) -> Tensor:
        """(N, in, H, W) -> (N, out, H', W') in the weights' dtype."""
        return super().forward(narrowed(x, self.weight.dtype))


class Conv3d(nn.Conv3d):
    """A 3D convolution in the type of its weights, whatever the type of what comes in."""

    def forward(self, x: Tensor) -> Tensor:
        """(B, in, F, H, W) -> (B, out, F', H', W') in the weights' dtype."""
        return super().forward(narrowed(x, self.weight.dtype))


class GroupNorm(nn.GroupNorm):
    """Group norm in fp32, for what comes next to narrow."""

    def __init__(self, dim: int, *, eps: float) -> None:
        super().__init__(NORM_GROUPS, dim, eps=eps)

    def forward(self, x: Tensor) -> Tensor:
        """(N, dim, ...) -> (N, dim, ...), all axes behind the channels normed together."""
        return nn.functional.group_norm(widened(x), self.num_groups, widened(self.weight), widened(self.bias), self.eps)
