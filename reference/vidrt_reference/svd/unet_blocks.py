"""The blocks of Stable Video Diffusion's UNet, their parts named as diffusers names them."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from torch import Tensor, cat, nn

from vidrt_reference.svd.layers import Downsampler, Upsampler
from vidrt_reference.svd.resnet import SpatioTemporalResnetBlock

if TYPE_CHECKING:
    from collections.abc import Sequence
    from functools import partial

    from vidrt_reference.svd.transformer import SpatioTemporalTransformer

_MID_EPS = 1e-5
_PLAIN_DOWN_EPS = 1e-5
_EPS = 1e-6


class Conditions(NamedTuple):
    """What every block sees.

    Attributes:
        clips: any tensor (B, F, ...), for the number of frames.
        embedding: (B * F, T), of the timestep and the micro-conditioning, behind a SiLU.
        context: (B, L, context_dim).
    """

    clips: Tensor
    embedding: Tensor
    context: Tensor


class Layers(nn.Module):
    """ResNets, each with a transformer behind it where the block attends."""

    attentions: nn.ModuleList | None

    def __init__(
        self,
        dims_in: Sequence[int],
        dim_out: int,
        *,
        eps: float,
        embedding_dim: int,
        transformer: partial[SpatioTemporalTransformer] | None,
    ) -> None:
        super().__init__()
        self.resnets = nn.ModuleList(
            SpatioTemporalResnetBlock(dim_in, dim_out, eps=eps, embedding_dim=embedding_dim) for dim_in in dims_in
        )
        self.attentions = None if transformer is None else nn.ModuleList(transformer(dim_out) for _ in dims_in)

    def layer(self, number: int, x: Tensor, conditions: Conditions) -> Tensor:
        """Run one ResNet and the transformer behind it: (B * F, dim_in, H, W) -> (B * F, dim_out, H, W)."""
        x = self.resnets[number](x, conditions.clips, conditions.embedding)
        if self.attentions is not None:
            x = self.attentions[number](x, conditions.clips, conditions.context)
        return x


class DownBlock(Layers):
    """Some layers, and then half the rows and columns."""

    downsamplers: nn.ModuleList | None

    def __init__(
        self,
        dim_in: int,
        dim_out: int,
        *,
        layers: int,
        embedding_dim: int,
        transformer: partial[SpatioTemporalTransformer] | None,
        downsample: bool,
    ) -> None:
        dims_in = (dim_in, *[dim_out] * (layers - 1))
        eps = _PLAIN_DOWN_EPS if transformer is None else _EPS
        super().__init__(dims_in, dim_out, eps=eps, embedding_dim=embedding_dim, transformer=transformer)
        self.downsamplers = nn.ModuleList([Downsampler(dim_out)]) if downsample else None

    def forward(self, x: Tensor, skips: list[Tensor], conditions: Conditions) -> Tensor:
        """(B * F, dim_in, H, W) -> (B * F, dim_out, H', W'); what the way up is to see again is put on `skips`."""
        for number in range(len(self.resnets)):
            x = self.layer(number, x, conditions)
            skips.append(x)
        if self.downsamplers is not None:
            x = self.downsamplers[0](x)
            skips.append(x)
        return x


class MidBlock(nn.Module):
    """A transformer between two ResNets."""

    def __init__(self, dim: int, *, embedding_dim: int, transformer: partial[SpatioTemporalTransformer]) -> None:
        super().__init__()
        self.resnets = nn.ModuleList(
            SpatioTemporalResnetBlock(dim, dim, eps=_MID_EPS, embedding_dim=embedding_dim) for _ in range(2)
        )
        self.attentions = nn.ModuleList([transformer(dim)])

    def forward(self, x: Tensor, conditions: Conditions) -> Tensor:
        """(B * F, dim, H, W) -> (B * F, dim, H, W)."""
        x = self.resnets[0](x, conditions.clips, conditions.embedding)
        x = self.attentions[0](x, conditions.clips, conditions.context)
        output: Tensor = self.resnets[1](x, conditions.clips, conditions.embedding)
        return output


class UpBlock(Layers):
    """Some layers, each with an output of the way down beside its input, and then twice the rows and columns."""

    upsamplers: nn.ModuleList | None

    def __init__(
        self,
        dims_in: Sequence[int],
        dim_out: int,
        *,
        embedding_dim: int,
        transformer: partial[SpatioTemporalTransformer] | None,
        upsample: bool,
    ) -> None:
        super().__init__(dims_in, dim_out, eps=_EPS, embedding_dim=embedding_dim, transformer=transformer)
        self.upsamplers = nn.ModuleList([Upsampler(dim_out)]) if upsample else None

    def forward(self, x: Tensor, skips: list[Tensor], conditions: Conditions) -> Tensor:
        """(B * F, C, H, W) -> (B * F, dim_out, H', W'), taking as many of `skips` from their end as it has layers."""
        for number in range(len(self.resnets)):
            x = self.layer(number, cat([x, skips.pop()], dim=1), conditions)
        if self.upsamplers is not None:
            x = self.upsamplers[0](x, skips[-1])
        return x
