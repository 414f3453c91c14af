"""The ResNet blocks of Stable Video Diffusion: one within each frame, then one along the frames."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from torch import Tensor, nn

from vidrt_reference.convolutions import Conv2d, Conv3d, GroupNorm
from vidrt_reference.layers import Linear
from vidrt_reference.shapes import merge_axes, split_like
from vidrt_reference.svd.layers import TimeMixer

if TYPE_CHECKING:
    from collections.abc import Callable

_spatial = partial(Conv2d, kernel_size=3, padding=1)
_temporal = partial(Conv3d, kernel_size=(3, 1, 1), padding=(1, 0, 0))


class ResnetBlock(nn.Module):
    """Two convolutions behind group norms and SiLU, the embedding added between them, with a shortcut."""

    def __init__(
        self,
        dim_in: int,
        dim_out: int,
        *,
        eps: float,
        embedding_dim: int | None = None,
        convolution: Callable[[int, int], nn.Module] = _spatial,
    ) -> None:
        super().__init__()
        self.norm1 = GroupNorm(dim_in, eps=eps)
        self.conv1 = convolution(dim_in, dim_out)
        self.time_emb_proj = None if embedding_dim is None else Linear(embedding_dim, dim_out)
        self.norm2 = GroupNorm(dim_out, eps=eps)
        self.conv2 = convolution(dim_out, dim_out)
        self.conv_shortcut = Conv2d(dim_in, dim_out, 1) if dim_in != dim_out else None

    def forward(self, x: Tensor, embedding: Tensor | None = None) -> Tensor:
        """X (N, dim_in, H, W) and embedding (N, T), or (B, dim_in, F, H, W) and (B, F, T) -> as x, with dim_out."""
        hidden = self.conv1(nn.functional.silu(self.norm1(x)))
        if self.time_emb_proj is not None:
            hidden = hidden + self.time_emb_proj(embedding).movedim(-1, 1)[..., None, None]
        hidden = self.conv2(nn.functional.silu(self.norm2(hidden)))
        output: Tensor = (x if self.conv_shortcut is None else self.conv_shortcut(x)) + hidden
        return output


class SpatioTemporalResnetBlock(nn.Module):
    """A block within each frame and one along the frames, mixed.

    The norms of the latter span all frames of a clip.
    """

    def __init__(
        self,
        dim_in: int,
        dim_out: int,
        *,
        eps: float,
        temporal_eps: float | None = None,
        embedding_dim: int | None = None,
        swapped: bool = False,
    ) -> None:
        super().__init__()
        self.spatial_res_block = ResnetBlock(dim_in, dim_out, eps=eps, embedding_dim=embedding_dim)
        self.temporal_res_block = ResnetBlock(
            dim_out, dim_out, eps=temporal_eps or eps, embedding_dim=embedding_dim, convolution=_temporal
        )
        self.time_mixer = TimeMixer(swapped=swapped)

    def forward(self, x: Tensor, clips: Tensor, embedding: Tensor | None = None) -> Tensor:
        """Run the block.

        Args:
            x: (B * F, dim_in, H, W).
            clips: any tensor (B, F, ...), for the number of frames.
            embedding: (B * F, T), where the block was made for one.

        Returns:
            (B * F, dim_out, H, W).
        """
        spatial = split_like(self.spatial_res_block(x, embedding), 0, clips, 0, 2)
        spatial = spatial.transpose(1, 2)  # (B, dim_out, F, H, W)
        together = None if embedding is None else split_like(embedding, 0, clips, 0, 2)
        mixed = self.time_mixer(spatial, self.temporal_res_block(spatial, together))
        return merge_axes(mixed.transpose(1, 2), 0, 2)
