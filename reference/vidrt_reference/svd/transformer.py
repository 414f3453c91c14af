"""The transformer within Stable Video Diffusion's UNet: over each frame, then along the frames."""

from __future__ import annotations

from typing import TYPE_CHECKING

from torch import nn

from vidrt_reference.convolutions import GroupNorm
from vidrt_reference.layers import Linear
from vidrt_reference.shapes import merge_axes, positions, split_like
from vidrt_reference.svd.embeddings import Sinusoid, TimeEmbedding
from vidrt_reference.svd.layers import TimeMixer
from vidrt_reference.svd.transformer_block import TemporalTransformerBlock, TransformerBlock

if TYPE_CHECKING:
    from torch import Tensor

_NORM_EPS = 1e-6
_WIDENING = 4


class SpatioTemporalTransformer(nn.Module):
    """Pairs of blocks, each a spatial and a temporal one, mixed; one mixing factor for all of them."""

    def __init__(self, dim: int, *, context_dim: int, heads: int, layers: int) -> None:
        super().__init__()
        self.sinusoid = Sinusoid(dim)
        self.norm = GroupNorm(dim, eps=_NORM_EPS)
        self.proj_in = Linear(dim, dim)
        self.transformer_blocks = nn.ModuleList(
            TransformerBlock(dim, context_dim=context_dim, heads=heads) for _ in range(layers)
        )
        self.temporal_transformer_blocks = nn.ModuleList(
            TemporalTransformerBlock(dim, context_dim=context_dim, heads=heads) for _ in range(layers)
        )
        self.time_pos_embed = TimeEmbedding(dim, dim * _WIDENING, dim)
        self.time_mixer = TimeMixer()
        self.proj_out = Linear(dim, dim)

    def forward(self, x: Tensor, clips: Tensor, context: Tensor) -> Tensor:
        """Run all blocks.

        Args:
            x: (B * F, dim, H, W).
            clips: any tensor (B, F, ...), for the number of frames.
            context: (B, L, context_dim).

        Returns:
            (B * F, dim, H, W).
        """
        places = self.time_pos_embed(self.sinusoid(positions(clips, 1).float())).unsqueeze(1)  # (F, 1, dim)
        tokens = self.proj_in(merge_axes(self.norm(x).permute(0, 2, 3, 1), 1, 2))
        tokens = split_like(tokens, 0, clips, 0, 2)  # (B, F, H * W, dim)
        for block, temporal_block in zip(self.transformer_blocks, self.temporal_transformer_blocks, strict=True):
            tokens = block(tokens, context)
            along = temporal_block((tokens + places).transpose(1, 2), context).transpose(1, 2)
            tokens = self.time_mixer(tokens, along)
        rows = split_like(merge_axes(self.proj_out(tokens), 0, 2), 1, x, 2, 2)  # (B * F, H, W, dim)
        return x + rows.permute(0, 3, 1, 2)
