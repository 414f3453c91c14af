"""One block of the LTX-Video transformer, its parts named as diffusers' `LTXVideoTransformerBlock` names them."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import torch
from torch import Tensor, nn

from vidrt_reference.attention import Attend, attend
from vidrt_reference.layers import Linear, RMSNorm, rms_normalised
from vidrt_reference.precision import narrowed

if TYPE_CHECKING:
    from vidrt_reference.ltx_video.rotation import Rotation

_QK_NORM_EPS = 1e-5
_WIDENING = 4


def modulated(x: Tensor, shift: Tensor, scale: Tensor) -> Tensor:
    """Scale and shift x (B, S, D) by AdaLN values (B, 1 or S, D)."""
    return x * (1 + scale) + shift


class Perturbation(NamedTuple):
    """What a block leaves out for some of a batch: each (B, 1, 1) of booleans.

    Attributes:
        values: the attention puts out its values.
        attention: the attention puts out what goes into it.
        block: the block puts out what goes into it.
    """

    values: Tensor
    attention: Tensor
    block: Tensor


class Attention(nn.Module):
    """Attention with queries and keys normalised over all heads at once and, among latents, rotated."""

    def __init__(self, dim: int, *, context_dim: int, heads: int, bias: bool, out_bias: bool) -> None:
        super().__init__()
        self.heads = heads
        self.attend: Attend = attend
        self.norm_q = RMSNorm(dim, eps=_QK_NORM_EPS)
        self.norm_k = RMSNorm(dim, eps=_QK_NORM_EPS)
        self.to_q = Linear(dim, dim, bias=bias)
        self.to_k = Linear(context_dim, dim, bias=bias)
        self.to_v = Linear(context_dim, dim, bias=bias)
        self.to_out = nn.ModuleList([Linear(dim, dim, bias=out_bias)])

    @property
    def dtype(self) -> torch.dtype:
        """The type of queries, keys and values: fp32 where weights are whole numbers, else theirs."""
        return self.to_q.weight.dtype if isinstance(self.to_q, nn.Linear) else torch.float32

    def forward(
        self,
        x: Tensor,
        context: Tensor,
        rotation: Rotation | None = None,
        perturbed: Perturbation | None = None,
    ) -> Tensor:
        """X (B, S, D), context (B, L, context_dim) -> (B, S, D)."""
        query, key = self.norm_q(self.to_q(x)), self.norm_k(self.to_k(context))
        if rotation is not None:
            query, key = (narrowed(rotation(part), self.dtype) for part in (query, key))
        value = self.to_v(context)
        mixed = self.attend(query, key, value, heads=self.heads)
        if perturbed is not None:
            mixed = torch.where(perturbed.values, value, mixed)
            mixed = torch.where(perturbed.attention, x, mixed)
        projected: Tensor = self.to_out[0](mixed)
        return projected


class GeluProjection(nn.Module):
    """A linear layer and the tanh form of GELU."""

    def __init__(self, dim_in: int, dim_out: int) -> None:
        super().__init__()
        self.proj = Linear(dim_in, dim_out)

    def forward(self, x: Tensor) -> Tensor:
        """(..., dim_in) -> (..., dim_out)."""
        return nn.functional.gelu(self.proj(x), approximate="tanh")


class FeedForward(nn.Module):
    """Widen fourfold, tanh-GELU, narrow."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        # the middle one holds the place of the dropout of training, so that the last is `net.2`
        self.net = nn.Sequential(GeluProjection(dim, dim * _WIDENING), nn.Identity(), Linear(dim * _WIDENING, dim))

    def forward(self, x: Tensor) -> Tensor:
        """(..., dim) -> (..., dim)."""
        narrowed: Tensor = self.net(x)
        return narrowed


class TransformerBlock(nn.Module):
    """Self-attention and feed-forward under AdaLN, with attention to the context between them."""

    def __init__(
        self, dim: int, *, context_dim: int, heads: int, eps: float, attention_bias: bool, attention_out_bias: bool
    ) -> None:
        super().__init__()
        self.eps = eps
        biases = {"bias": attention_bias, "out_bias": attention_out_bias}
        self.attn1 = Attention(dim, context_dim=dim, heads=heads, **biases)
        self.attn2 = Attention(dim, context_dim=context_dim, heads=heads, **biases)
        self.ff = FeedForward(dim)
        self.scale_shift_table = nn.Parameter(torch.zeros(6, dim))

    def forward(
        self,
        latents: Tensor,
        context: Tensor,
        modulation: Tensor,
        rotation: Rotation,
        perturbed: Perturbation | None = None,
    ) -> Tensor:
        """Latents (B, S, D), context (B, L, context_dim), modulation (B, 1 or S, 6 D) -> (B, S, D)."""
        given = latents
        # chunks of the last axis: a graph traced with one timestep for all tokens must hold for one timestep each
        values = (modulation + self.scale_shift_table.flatten()).chunk(6, dim=-1)
        shift_attention, scale_attention, gate_attention, shift_ff, scale_ff, gate_ff = values

        normed = narrowed(modulated(self._normalised(latents), shift_attention, scale_attention), self.attn1.dtype)
        latents = latents + self.attn1(normed, normed, rotation, perturbed) * gate_attention
        latents = latents + self.attn2(latents, context)
        normed = modulated(self._normalised(latents), shift_ff, scale_ff)
        output: Tensor = latents + self.ff(normed) * gate_ff
        return output if perturbed is None else torch.where(perturbed.block, given, output)

    def _normalised(self, latents: Tensor) -> Tensor:
        return rms_normalised(latents, dim=-1, eps=self.eps)
