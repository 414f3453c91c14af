"""The transformer blocks of Stable Video Diffusion's UNet, their parts named as diffusers names them.

Tokens are (B, G, S, C): a clip's tokens in groups, which attend among themselves: within a block of the spatial kind
a group is a frame, within one of the temporal kind a place in all frames.
"""

from __future__ import annotations

from torch import Tensor, nn

from vidrt_reference.attention import Attend, attend
from vidrt_reference.layers import Linear
from vidrt_reference.shapes import merge_axes, split_like
from vidrt_reference.svd.layers import LayerNorm

_WIDENING = 4


class Attention(nn.Module):
    """Attention of tokens to their own group, or of all tokens to their clip's context."""

    def __init__(self, dim: int, *, context_dim: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.attend: Attend = attend
        self.to_q = Linear(dim, dim, bias=False)
        self.to_k = Linear(context_dim, dim, bias=False)
        self.to_v = Linear(context_dim, dim, bias=False)
        self.to_out = nn.ModuleList([Linear(dim, dim)])

    def forward(self, x: Tensor, context: Tensor | None = None) -> Tensor:
        """X (B, G, S, C), context (B, L, context_dim) -> (B, G, S, C).

        Since a clip's tokens share one context, they are its queries all at once, and it is repeated for none of them.
        """
        first = 0 if context is None else 1
        tokens = merge_axes(x, first, 2)  # (B * G, S, C) or (B, G * S, C)
        source = tokens if context is None else context
        mixed = self.attend(self.to_q(tokens), self.to_k(source), self.to_v(source), heads=self.heads)
        return split_like(self.to_out[0](mixed), first, x, first, 2)


class GatedProjection(nn.Module):
    """A linear layer, of which the first half is multiplied by the GELU of the second."""

    def __init__(self, dim_in: int, dim_out: int) -> None:
        super().__init__()
        self.dim_out = dim_out
        self.proj = Linear(dim_in, dim_out * 2)

    def forward(self, x: Tensor) -> Tensor:
        """(..., dim_in) -> (..., dim_out)."""
        both = self.proj(x)
        # slices, since a split would enter a traced graph as a sequence of tensors, which TensorRT does not read
        gated: Tensor = both[..., : self.dim_out] * nn.functional.gelu(both[..., self.dim_out :])
        return gated


class FeedForward(nn.Module):
    """Widen fourfold through a gate, narrow."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        # the middle one holds the place of the dropout of training, so that the last is `net.2`
        self.net = nn.Sequential(GatedProjection(dim, dim * _WIDENING), nn.Identity(), Linear(dim * _WIDENING, dim))

    def forward(self, x: Tensor) -> Tensor:
        """(..., dim) -> (..., dim)."""
        projected: Tensor = self.net(x)
        return projected


class TransformerBlock(nn.Module):
    """Attention within groups, attention to the context, feed-forward, each behind a norm."""

    def __init__(self, dim: int, *, context_dim: int, heads: int) -> None:
        super().__init__()
        self.norm1 = LayerNorm(dim)
        self.attn1 = Attention(dim, context_dim=dim, heads=heads)
        self.norm2 = LayerNorm(dim)
        self.attn2 = Attention(dim, context_dim=context_dim, heads=heads)
        self.norm3 = LayerNorm(dim)
        self.ff = FeedForward(dim)

    def forward(self, x: Tensor, context: Tensor) -> Tensor:
        """X (B, G, S, C), context (B, L, context_dim) -> (B, G, S, C)."""
        x = x + self.attn1(self.norm1(x))
        x = x + self.attn2(self.norm2(x), context)
        output: Tensor = x + self.ff(self.norm3(x))
        return output


class TemporalTransformerBlock(TransformerBlock):
    """The same with a feed-forward in front."""

    def __init__(self, dim: int, *, context_dim: int, heads: int) -> None:
        super().__init__(dim, context_dim=context_dim, heads=heads)
        self.norm_in = LayerNorm(dim)
        self.ff_in = FeedForward(dim)

    def forward(self, x: Tensor, context: Tensor) -> Tensor:
        """X (B, G, S, C), context (B, L, context_dim) -> (B, G, S, C)."""
        return super().forward(x + self.ff_in(self.norm_in(x)), context)
