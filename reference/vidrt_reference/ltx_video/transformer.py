"""The LTX-Video transformer: from noisy latents to their velocity."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Self

import torch
from torch import Tensor, nn

from vidrt_reference.checkpoint.config import Config
from vidrt_reference.checkpoint.errors import CheckpointError
from vidrt_reference.layers import Linear, Projection, TimestepEmbedder
from vidrt_reference.ltx_video.rotation import Neighbours, Rotation
from vidrt_reference.ltx_video.transformer_block import Perturbation, TransformerBlock, modulated
from vidrt_reference.precision import widened

if TYPE_CHECKING:
    from collections.abc import Mapping

_NORM_OUT_EPS = 1e-6
# what the weights mean is fixed by these too, and one value of each is implemented
_IMPLEMENTED = {
    "patch_size": 1,
    "patch_size_t": 1,
    "activation_fn": "gelu-approximate",
    "qk_norm": "rms_norm_across_heads",
    "norm_elementwise_affine": False,
}


@dataclass(frozen=True, kw_only=True)
class TransformerParams:
    """Widths and depth of the transformer, named as in diffusers' config.json; the defaults are the 2B model's."""

    in_channels: int = 128
    out_channels: int = 128
    num_attention_heads: int = 32
    attention_head_dim: int = 64
    cross_attention_dim: int = 2048
    num_layers: int = 28
    norm_eps: float = 1e-6
    caption_channels: int = 4096
    attention_bias: bool = True
    attention_out_bias: bool = True

    @property
    def inner_dim(self) -> int:
        """The width of a token inside the blocks."""
        return self.num_attention_heads * self.attention_head_dim

    def __post_init__(self) -> None:
        if self.cross_attention_dim != self.inner_dim:
            raise CheckpointError(
                f"The transformer's cross_attention_dim was expected to be heads times head dim, {self.inner_dim}, the "
                f"width that its caption projection puts out, but is {self.cross_attention_dim}: mend its config.json."
            )
        if self.inner_dim % 2:
            raise CheckpointError(
                f"The transformer's heads times head dim was expected to be even, since channels are rotated in pairs, "
                f"but is {self.inner_dim}: mend its config.json."
            )

    @classmethod
    def from_config(cls, values: Mapping[str, object]) -> Self:
        """Read diffusers' config.json; keys that begin with an underscore are ignored.

        Raises:
            CheckpointError: a value is of the wrong type, or one that is not implemented.
        """
        config = Config(what="transformer", values=values)
        for key, wanted in _IMPLEMENTED.items():
            config.require(key, wanted, default=wanted)
        config.refuse_others({*cls.__dataclass_fields__, *_IMPLEMENTED})
        in_channels = config.integer("in_channels", cls.in_channels)
        out_channels = cls.out_channels if "out_channels" not in values else config.optional_integer("out_channels")
        return cls(
            in_channels=in_channels,
            out_channels=out_channels or in_channels,
            num_attention_heads=config.integer("num_attention_heads", cls.num_attention_heads),
            attention_head_dim=config.integer("attention_head_dim", cls.attention_head_dim),
            cross_attention_dim=config.integer("cross_attention_dim", cls.cross_attention_dim),
            num_layers=config.integer("num_layers", cls.num_layers),
            norm_eps=config.number("norm_eps", cls.norm_eps),
            caption_channels=config.integer("caption_channels", cls.caption_channels),
            attention_bias=config.flag("attention_bias", cls.attention_bias),
            attention_out_bias=config.flag("attention_out_bias", cls.attention_out_bias),
        )


class AdaLayerNormSingle(nn.Module):
    """The modulation that all blocks share, made from the timestep once."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.emb = TimestepEmbedder(dim)
        self.linear = Linear(dim, 6 * dim)

    def forward(self, timestep: Tensor) -> tuple[Tensor, Tensor]:
        """(B, T) -> modulation (B, T, 6 D) and the embedding it is made from (B, T, D)."""
        embedding: Tensor = self.emb(timestep)
        return self.linear(nn.functional.silu(embedding)), embedding


class Transformer(nn.Module):
    """Predicts the velocity of packed latents; parameters are named as in diffusers' `LTXVideoTransformer3DModel`."""

    def __init__(self, params: TransformerParams) -> None:
        super().__init__()
        dim = params.inner_dim
        self.params = params
        self.rotation: type[Rotation] = Neighbours  # `Halves` wants queries and keys in `halves_order`
        self.proj_in = Linear(params.in_channels, dim)
        self.scale_shift_table = nn.Parameter(torch.zeros(2, dim))
        self.time_embed = AdaLayerNormSingle(dim)
        self.caption_projection = Projection(
            params.caption_channels, dim, partial(nn.functional.gelu, approximate="tanh")
        )
        self.transformer_blocks = nn.ModuleList(_block(params) for _ in range(params.num_layers))
        self.proj_out = Linear(dim, params.out_channels)

    def forward(
        self,
        latents: Tensor,
        context: Tensor,
        timestep: Tensor,
        rope_cos: Tensor,
        rope_sin: Tensor,
        perturbation: Tensor | None = None,
    ) -> Tensor:
        """Predict the velocity.

        Args:
            latents: (B, S, C), one token for each latent voxel.
            context: (B, L, caption_channels), the prompt's embeddings without padding, so that no mask is needed.
            timestep: (B, T) of fp32, 1000 times sigma; T is 1, or S where tokens have timesteps of their own.
            rope_cos: (S, D / 2) of fp32, a cosine for each pair of channels over the full width D.
            rope_sin: (S, D / 2) of fp32.
            perturbation: (B, layers, 3) of fp32, 1 where a block is to put out its attention's values, what goes into
                its attention or what goes into the block itself in the place of its own result, else 0.

        Returns:
            (B, S, C).
        """
        modulation, embedding = self.time_embed(timestep)
        context = self.caption_projection(context)
        latents = self.proj_in(latents)
        rotation = self.rotation(rope_cos, rope_sin, self.params.num_attention_heads)
        for number, block in enumerate(self.transformer_blocks):
            latents = block(latents, context, modulation, rotation, _of_block(perturbation, number))
        shift, scale = (embedding + row for row in self.scale_shift_table)
        velocity: Tensor = self.proj_out(modulated(_layer_normalised(latents), shift, scale))
        return velocity


def _block(params: TransformerParams) -> TransformerBlock:
    return TransformerBlock(
        params.inner_dim,
        context_dim=params.cross_attention_dim,
        heads=params.num_attention_heads,
        eps=params.norm_eps,
        attention_bias=params.attention_bias,
        attention_out_bias=params.attention_out_bias,
    )


def _of_block(perturbation: Tensor | None, number: int) -> Perturbation | None:
    if perturbation is None:
        return None
    own = perturbation[:, number : number + 1] > 0  # (B, 1, 3)
    return Perturbation(values=own[:, :, 0:1], attention=own[:, :, 1:2], block=own[:, :, 2:3])


def _layer_normalised(x: Tensor) -> Tensor:
    return nn.functional.layer_norm(widened(x), x.shape[-1:], eps=_NORM_OUT_EPS)
