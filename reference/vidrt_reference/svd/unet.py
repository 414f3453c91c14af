"""The UNet of Stable Video Diffusion: from noisy latents to their velocity."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from torch import Tensor, nn

from vidrt_reference.convolutions import Conv2d, GroupNorm
from vidrt_reference.shapes import merge_axes, positions, split_like
from vidrt_reference.svd.embeddings import Sinusoid, TimeEmbedding
from vidrt_reference.svd.transformer import SpatioTemporalTransformer
from vidrt_reference.svd.unet_blocks import Conditions, DownBlock, MidBlock, UpBlock
from vidrt_reference.svd.unet_params import DownBlockType, UpBlockType

if TYPE_CHECKING:
    from vidrt_reference.svd.unet_params import UNetParams

_NORM_OUT_EPS = 1e-5


class UNet(nn.Module):
    """Predicts the velocity of latents; parameters are named as in diffusers' `UNetSpatioTemporalConditionModel`."""

    def __init__(self, params: UNetParams) -> None:
        super().__init__()
        first, last, embedding_dim = params.block_out_channels[0], params.block_out_channels[-1], params.embedding_dim
        self.params = params
        self.conv_in = Conv2d(params.in_channels, first, 3, padding=1)
        self.sinusoid, self.added_sinusoid = Sinusoid(first), Sinusoid(params.addition_time_embed_dim)
        self.time_embedding = TimeEmbedding(first, embedding_dim, embedding_dim)
        self.add_embedding = TimeEmbedding(params.projection_class_embeddings_input_dim, embedding_dim, embedding_dim)
        levels = range(len(params.block_out_channels))
        self.down_blocks = nn.ModuleList(_down_block(params, level) for level in levels)
        self.mid_block = MidBlock(last, embedding_dim=embedding_dim, transformer=_transformer(params, -1))
        self.up_blocks = nn.ModuleList(_up_block(params, level) for level in reversed(levels))
        self.conv_norm_out = GroupNorm(first, eps=_NORM_OUT_EPS)
        self.conv_out = Conv2d(first, params.out_channels, 3, padding=1)

    def forward(self, sample: Tensor, timestep: Tensor, image_embeds: Tensor, added_time_ids: Tensor) -> Tensor:
        """Predict the velocity.

        Args:
            sample: (B, F, 8, H, W): scaled noisy latents, and the image's latents behind them in the channels.
            timestep: (B,) of fp32, a quarter of the logarithm of sigma.
            image_embeds: (B, 1, cross_attention_dim), the image as the image encoder sees it.
            added_time_ids: (B, 3) of fp32: frames a second less one, motion bucket, strength of noise augmentation.

        Returns:
            (B, F, 4, H, W).
        """
        conditions = Conditions(sample, self._embedding(sample, timestep, added_time_ids), image_embeds)
        x = self.conv_in(merge_axes(sample, 0, 2))
        skips = [x]
        for block in self.down_blocks:
            x = block(x, skips, conditions)
        x = self.mid_block(x, conditions)
        for block in self.up_blocks:
            x = block(x, skips, conditions)
        velocity = self.conv_out(nn.functional.silu(self.conv_norm_out(x)))
        return split_like(velocity, 0, sample, 0, 2)

    def _embedding(self, sample: Tensor, timestep: Tensor, added_time_ids: Tensor) -> Tensor:
        time = self.time_embedding(self.sinusoid(timestep))
        added = self.add_embedding(merge_axes(self.added_sinusoid(added_time_ids), 1, 2))
        clips = nn.functional.silu(time + added)  # (B, T)
        # a sum with zeros, since a repetition would enter a traced graph with the number of frames at hand
        nothing = (positions(sample, 1) * 0).to(clips.dtype).unsqueeze(-1)  # (F, 1)
        return merge_axes(clips.unsqueeze(1) + nothing, 0, 2)


def _transformer(params: UNetParams, level: int) -> partial[SpatioTemporalTransformer]:
    return partial(
        SpatioTemporalTransformer,
        context_dim=params.cross_attention_dim,
        heads=params.num_attention_heads[level],
        layers=params.transformer_layers_per_block,
    )


def _down_block(params: UNetParams, level: int) -> DownBlock:
    widths = params.block_out_channels
    return DownBlock(
        widths[max(level - 1, 0)],
        widths[level],
        layers=params.layers_per_block,
        embedding_dim=params.embedding_dim,
        transformer=_transformer(params, level) if params.down_block_types[level] == DownBlockType.ATTENDING else None,
        downsample=level < len(widths) - 1,
    )


def _up_block(params: UNetParams, level: int) -> UpBlock:
    """Make the block that leads up to a level; its number among the up blocks counts from the other end."""
    widths = params.block_out_channels
    below, width, above = widths[min(level + 1, len(widths) - 1)], widths[level], widths[max(level - 1, 0)]
    inputs = (below, *[width] * params.layers_per_block)
    skips = (*[width] * params.layers_per_block, above)
    attends = params.up_block_types[len(widths) - 1 - level] == UpBlockType.ATTENDING
    return UpBlock(
        [own + skip for own, skip in zip(inputs, skips, strict=True)],
        width,
        embedding_dim=params.embedding_dim,
        transformer=_transformer(params, level) if attends else None,
        upsample=level > 0,
    )
