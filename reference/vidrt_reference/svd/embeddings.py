"""Numbers as vectors: timesteps, micro-conditioning and the positions of frames."""

from __future__ import annotations

from typing import TYPE_CHECKING

from torch import nn

from vidrt_reference.layers import Linear, frequencies, sinusoid

if TYPE_CHECKING:
    from torch import Tensor


class Sinusoid:
    """Embeds numbers as cosines, then sines, without a shift; the width is even."""

    def __init__(self, width: int) -> None:
        self._frequencies = frequencies(width)

    def __call__(self, values: Tensor) -> Tensor:
        """(...) of fp32 -> (..., width) of fp32."""
        return sinusoid(values, self._frequencies)


class TimeEmbedding(nn.Module):
    """Two linear layers with SiLU between them."""

    def __init__(self, dim_in: int, hidden_dim: int, dim_out: int) -> None:
        super().__init__()
        self.linear_1 = Linear(dim_in, hidden_dim)
        self.linear_2 = Linear(hidden_dim, dim_out)

    def forward(self, x: Tensor) -> Tensor:
        """(..., dim_in) -> (..., dim_out)."""
        projected: Tensor = self.linear_2(nn.functional.silu(self.linear_1(x)))
        return projected
