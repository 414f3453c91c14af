"""Layers that more than one component is made of."""

from __future__ import annotations

import math
from functools import cache
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch._subclasses.fake_tensor import unset_fake_temporarily

from vidrt_reference.precision import narrowed, widened

if TYPE_CHECKING:
    from collections.abc import Callable

SINUSOID_WIDTH = 256
_MAX_PERIOD = 10000


def rms_normalised(x: Tensor, *, dim: int, eps: float) -> Tensor:
    """Divide x by its root mean square along `dim`: the same shape, and fp32 for what comes next to narrow."""
    wide = widened(x)
    return wide * torch.rsqrt((wide * wide).mean(dim, keepdim=True) + eps)


@cache
def frequencies(width: int) -> tuple[float, ...]:
    """Space frequencies geometrically, from 1 to 1 / 10000, over half the width of a sinusoid.

    They are numbers and no tensor, made when a module is: where it is traced, tensors have no values.
    """
    half = width // 2
    with unset_fake_temporarily():
        exponents = -math.log(_MAX_PERIOD) * torch.arange(half, dtype=torch.float32, device="cpu") / half
        return tuple(exponents.exp().tolist())


_FREQUENCIES = frequencies(SINUSOID_WIDTH)


def sinusoid(timestep: Tensor, spaced: tuple[float, ...] = _FREQUENCIES) -> Tensor:
    """Embed timesteps as cosines, then sines, of geometrically spaced frequencies: (...) -> (..., 256), in fp32.

    The frequencies enter a traced graph as a constant: another library's `exp` may differ in the last bit, and a
    thousandfold timestep makes that an error of 1e-4 in the angle.

    Args:
        timestep: of any shape.
        spaced: the frequencies, half as many as the embedding is wide.
    """
    constant = torch.tensor(spaced, dtype=torch.float32, device=timestep.device)
    angles = widened(timestep).unsqueeze(-1) * constant
    return torch.cat([angles.cos(), angles.sin()], dim=-1)


class Linear(nn.Linear):
    """A linear layer in the type of its weights, whatever the type of what comes in."""

    def forward(self, x: Tensor) -> Tensor:
        """(..., in) -> (..., out) in the weights' dtype."""
        return super().forward(narrowed(x, self.weight.dtype))


class RMSNorm(nn.Module):
    """Root-mean-square norm of the last axis with a weight, in fp32."""

    def __init__(self, dim: int, *, eps: float) -> None:
        super().__init__()
        self.eps = eps
        self.weight = nn.Parameter(torch.ones(dim))

    def forward(self, x: Tensor) -> Tensor:
        """(..., dim) -> (..., dim) in the weight's dtype."""
        return narrowed(rms_normalised(x, dim=-1, eps=self.eps) * widened(self.weight), self.weight.dtype)


class Projection(nn.Module):
    """Two linear layers with an activation between them."""

    def __init__(self, dim_in: int, dim_out: int, activation: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.linear_1 = Linear(dim_in, dim_out)
        self.activation = activation
        self.linear_2 = Linear(dim_out, dim_out)

    def forward(self, x: Tensor) -> Tensor:
        """(..., dim_in) -> (..., dim_out)."""
        projected: Tensor = self.linear_2(self.activation(self.linear_1(x)))
        return projected


class TimestepEmbedder(nn.Module):
    """Timesteps as vectors: a sinusoid and two linear layers."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.timestep_embedder = Projection(SINUSOID_WIDTH, dim, nn.functional.silu)

    def forward(self, timestep: Tensor) -> Tensor:
        """(...) in fp32 -> (..., dim) in the weights' dtype."""
        embedded: Tensor = self.timestep_embedder(sinusoid(timestep))
        return embedded
