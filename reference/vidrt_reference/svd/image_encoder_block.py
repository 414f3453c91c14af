"""One layer of CLIP's vision transformer, its parts named as transformers' `CLIPEncoderLayer` names them."""

from __future__ import annotations

from enum import StrEnum

from torch import Tensor, nn

from vidrt_reference.attention import Attend, attend
from vidrt_reference.layers import Linear
from vidrt_reference.svd.layers import LayerNorm

_QUICK = 1.702


class Activation(StrEnum):
    """The forms of GELU: through the error function, or through a logistic function near it."""

    GELU = "gelu"
    QUICK_GELU = "quick_gelu"

    def __call__(self, x: Tensor) -> Tensor:
        """(...) -> (...)."""
        return nn.functional.gelu(x) if self is Activation.GELU else x * (_QUICK * x).sigmoid()


class SelfAttention(nn.Module):
    """Attention of every patch to every patch."""

    def __init__(self, dim: int, *, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.attend: Attend = attend
        self.q_proj = Linear(dim, dim)
        self.k_proj = Linear(dim, dim)
        self.v_proj = Linear(dim, dim)
        self.out_proj = Linear(dim, dim)

    def forward(self, x: Tensor) -> Tensor:
        """(B, S, D) -> (B, S, D)."""
        projected: Tensor = self.out_proj(self.attend(self.q_proj(x), self.k_proj(x), self.v_proj(x), heads=self.heads))
        return projected


class FeedForward(nn.Module):
    """Two linear layers with an activation between them."""

    def __init__(self, dim: int, hidden_dim: int, activation: Activation) -> None:
        super().__init__()
        self.activation = activation
        self.fc1 = Linear(dim, hidden_dim)
        self.fc2 = Linear(hidden_dim, dim)

    def forward(self, x: Tensor) -> Tensor:
        """(B, S, D) -> (B, S, D)."""
        projected: Tensor = self.fc2(self.activation(self.fc1(x)))
        return projected


class ImageEncoderBlock(nn.Module):
    """Attention, then feed-forward, each behind a norm."""

    def __init__(self, dim: int, *, heads: int, hidden_dim: int, activation: Activation, eps: float) -> None:
        super().__init__()
        self.layer_norm1 = LayerNorm(dim, eps=eps)
        self.self_attn = SelfAttention(dim, heads=heads)
        self.layer_norm2 = LayerNorm(dim, eps=eps)
        self.mlp = FeedForward(dim, hidden_dim, activation)

    def forward(self, x: Tensor) -> Tensor:
        """(B, S, D) -> (B, S, D)."""
        x = x + self.self_attn(self.layer_norm1(x))
        output: Tensor = x + self.mlp(self.layer_norm2(x))
        return output
