"""One block of the T5 v1.1 encoder, its parts named as transformers' `T5Block` names them."""

from __future__ import annotations

from torch import Tensor, nn

from vidrt_reference.attention import Attend, attend
from vidrt_reference.layers import Linear, RMSNorm


class SelfAttention(nn.Module):
    """Attention without scaling, and without biases but the one for relative positions, kept by one block for all."""

    def __init__(self, dim: int, *, heads: int, head_dim: int, buckets: int | None) -> None:
        super().__init__()
        inner = heads * head_dim
        self.heads = heads
        self.attend: Attend = attend
        self.q = Linear(dim, inner, bias=False)
        self.k = Linear(dim, inner, bias=False)
        self.v = Linear(dim, inner, bias=False)
        self.o = Linear(inner, dim, bias=False)
        if buckets is not None:
            self.relative_attention_bias = nn.Embedding(buckets, heads)

    def forward(self, x: Tensor, bias: Tensor) -> Tensor:
        """X (B, L, D), bias (1, heads, L, L) -> (B, L, D)."""
        mixed = self.attend(self.q(x), self.k(x), self.v(x), heads=self.heads, bias=bias, scale=1.0)
        projected: Tensor = self.o(mixed)
        return projected


class GatedFeedForward(nn.Module):
    """A linear layer times its tanh-GELU gate, and a layer back."""

    def __init__(self, dim: int, hidden_dim: int) -> None:
        super().__init__()
        self.wi_0 = Linear(dim, hidden_dim, bias=False)
        self.wi_1 = Linear(dim, hidden_dim, bias=False)
        self.wo = Linear(hidden_dim, dim, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """(B, L, D) -> (B, L, D)."""
        gate = nn.functional.gelu(self.wi_0(x), approximate="tanh")
        projected: Tensor = self.wo(gate * self.wi_1(x))
        return projected


class AttentionLayer(nn.Module):
    """Norm, attention, residual."""

    def __init__(self, dim: int, *, heads: int, head_dim: int, eps: float, buckets: int | None) -> None:
        super().__init__()
        self.SelfAttention = SelfAttention(dim, heads=heads, head_dim=head_dim, buckets=buckets)
        self.layer_norm = RMSNorm(dim, eps=eps)

    def forward(self, x: Tensor, bias: Tensor) -> Tensor:
        """X (B, L, D), bias (1, heads, L, L) -> (B, L, D)."""
        attended: Tensor = self.SelfAttention(self.layer_norm(x), bias)
        return x + attended


class FeedForwardLayer(nn.Module):
    """Norm, feed-forward, residual."""

    def __init__(self, dim: int, hidden_dim: int, *, eps: float) -> None:
        super().__init__()
        self.DenseReluDense = GatedFeedForward(dim, hidden_dim)
        self.layer_norm = RMSNorm(dim, eps=eps)

    def forward(self, x: Tensor) -> Tensor:
        """(B, L, D) -> (B, L, D)."""
        projected: Tensor = self.DenseReluDense(self.layer_norm(x))
        return x + projected


class TextEncoderBlock(nn.Module):
    """Attention, then feed-forward; `buckets` is given to the block that keeps the position bias."""

    def __init__(
        self, dim: int, *, heads: int, head_dim: int, feed_forward_dim: int, eps: float, buckets: int | None
    ) -> None:
        super().__init__()
        attention = AttentionLayer(dim, heads=heads, head_dim=head_dim, eps=eps, buckets=buckets)
        self.layer = nn.ModuleList([attention, FeedForwardLayer(dim, feed_forward_dim, eps=eps)])

    def forward(self, x: Tensor, bias: Tensor) -> Tensor:
        """X (B, L, D), bias (1, heads, L, L) -> (B, L, D)."""
        attention, feed_forward = self.layer
        output: Tensor = feed_forward(attention(x, bias))
        return output
