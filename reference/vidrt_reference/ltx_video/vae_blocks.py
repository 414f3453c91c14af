"""The blocks of LTX-Video's VAE, their parts named as diffusers names them."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from torch import Tensor, cat, nn

from vidrt_reference.layers import TimestepEmbedder
from vidrt_reference.ltx_video.vae_forms import DownBlockType, Downsample
from vidrt_reference.ltx_video.vae_layers import CausalConv3d, ResnetBlock
from vidrt_reference.ltx_video.vae_time import CLIP
from vidrt_reference.shapes import merge_axes, split_axis

if TYPE_CHECKING:
    from collections.abc import Iterator

    from vidrt_reference.ltx_video.vae_params import VaeParams
    from vidrt_reference.ltx_video.vae_plan import DownBlockParams, UpBlockParams
    from vidrt_reference.ltx_video.vae_time import Time

_UP_STRIDE = (2, 2, 2)


def space_to_depth(x: Tensor, stride: tuple[int, int, int]) -> Tensor:
    """Move each box of voxels to channels: (B, C, F, H, W) -> (B, C * box, F / f, H / h, W / w)."""
    boxed = x
    for axis in (4, 3, 2):
        boxed = split_axis(boxed, axis, [-1, stride[axis - 2]])
    return merge_axes(boxed.permute(0, 1, 3, 5, 7, 2, 4, 6), 1, 4)


def depth_to_space(x: Tensor, stride: tuple[int, int, int]) -> Tensor:
    """Move channels to boxes of voxels: (B, C * box, F, H, W) -> (B, C, F * f, H * h, W * w)."""
    boxed = split_axis(x, 1, [-1, *stride]).permute(0, 1, 5, 2, 6, 3, 7, 4)  # (B, C, F, f, H, h, W, w)
    for axis in (6, 4, 2):
        boxed = merge_axes(boxed, axis, 2)
    return boxed


class Downsampler(nn.Module):
    """Moves boxes of voxels to channels, behind a convolution, and adds the input's boxes, averaged in groups."""

    def __init__(self, dim_in: int, dim_out: int, *, stride: tuple[int, int, int], causal: bool) -> None:
        super().__init__()
        volume = math.prod(stride)
        self.stride = stride
        self.group = dim_in * volume // dim_out
        self.conv = CausalConv3d(dim_in, dim_out // volume, causal=causal)

    def forward(self, x: Tensor, time: Time = CLIP) -> Tensor:
        """(B, dim_in, F, H, W) -> (B, dim_out, (F + f - 1) / f, H / h, W / w)."""
        # the first frame is one of a kind: repeated, it fills a box of its own
        x = time.with_first(x, self.stride[0] - 1) if self.stride[0] > 1 else x
        averaged = split_axis(space_to_depth(x, self.stride), 1, [-1, self.group]).mean(2)
        return space_to_depth(self.conv(x, time), self.stride) + averaged


class Upsampler(nn.Module):
    """Moves channels to boxes of voxels, behind a convolution, and may add the input's, repeated to its width."""

    def __init__(self, dim: int, *, factor: int, residual: bool, causal: bool) -> None:
        super().__init__()
        volume = math.prod(_UP_STRIDE)
        self.repeats = volume // factor if residual else 0
        self.conv = CausalConv3d(dim, dim * volume // factor, causal=causal)

    def forward(self, x: Tensor, time: Time = CLIP) -> Tensor:
        """(B, dim, F, H, W) -> (B, dim / factor, 2 F - 1, 2 H, 2 W)."""
        hidden = self.conv(x, time)
        raised = _raised(hidden, time)
        if not self.repeats:
            return raised
        return raised + cat([_raised(time.delayed(x, self.conv.back, hidden), time)] * self.repeats, dim=1)


def _raised(x: Tensor, time: Time) -> Tensor:
    """Of the first box only the later frame counts: the first frame of a video is one of a kind."""
    return time.without_first(depth_to_space(x, _UP_STRIDE), _UP_STRIDE[0] - 1)


class MidBlock(nn.Module):
    """ResNets of one width, which share a timestep embedding where conditioned."""

    time_embedder: TimestepEmbedder | None

    def __init__(
        self, dim: int, *, layers: int, eps: float, causal: bool, inject_noise: bool = False, conditioned: bool = False
    ) -> None:
        super().__init__()
        self.time_embedder = TimestepEmbedder(dim * 4) if conditioned else None
        self.resnets = nn.ModuleList(
            ResnetBlock(dim, dim, causal=causal, eps=eps, inject_noise=inject_noise, conditioned=conditioned)
            for _ in range(layers)
        )

    def forward(self, x: Tensor, timestep: Tensor | None, noise: Iterator[Tensor], time: Time = CLIP) -> Tensor:
        """X (B, C, F, H, W), timestep (B,) where conditioned -> (B, C, F, H, W)."""
        embedding = self.time_embedder(timestep) if self.time_embedder is not None else None
        for resnet in self.resnets:
            x = resnet(x, embedding, noise, time)
        return x


class DownBlock(nn.Module):
    """ResNets and a downsampler; up to 0.9.1 the width changes in a ResNet behind it, later in the downsampler."""

    def __init__(self, block: DownBlockParams, params: VaeParams) -> None:
        super().__init__()
        dim, dim_out, causal, eps = block.in_channels, block.out_channels, params.encoder_causal, params.resnet_norm_eps
        self.resnets = nn.ModuleList(ResnetBlock(dim, dim, causal=causal, eps=eps) for _ in range(block.layers))
        self.downsamplers = nn.ModuleList()
        if block.downsample is Downsample.CONV:
            self.downsamplers.append(CausalConv3d(dim, dim, causal=causal, stride=2))
        elif block.downsample is not None:
            self.downsamplers.append(Downsampler(dim, dim_out, stride=block.downsample.stride, causal=causal))
        self.widens = block.block_type is DownBlockType.RESNET and dim != dim_out
        if self.widens:
            self.conv_out = ResnetBlock(dim, dim_out, causal=causal, eps=eps)

    def forward(self, x: Tensor, time: Time = CLIP) -> Tensor:
        """(B, in, F, H, W) -> (B, out, F, H, W), smaller by the downsampler's stride."""
        for resnet in self.resnets:
            x = resnet(x, None, iter(()), time)
        for downsampler in self.downsamplers:
            x = downsampler(x, time)
        return self.conv_out(x, None, iter(()), time) if self.widens else x


class UpBlock(nn.Module):
    """A ResNet where the width changes, an upsampler, and ResNets that share a timestep embedding where conditioned."""

    time_embedder: TimestepEmbedder | None

    def __init__(self, block: UpBlockParams, params: VaeParams) -> None:
        super().__init__()
        dim, causal, eps = block.out_channels, params.decoder_causal, params.resnet_norm_eps
        conditioned = params.timestep_conditioning
        self.time_embedder = TimestepEmbedder(block.in_channels * 4) if conditioned else None
        self.widens = block.in_channels != dim
        if self.widens:
            self.conv_in = ResnetBlock(block.in_channels, dim, causal=causal, eps=eps)
        self.upsamplers = nn.ModuleList()
        if block.upsample:
            wide = dim * block.factor
            self.upsamplers.append(Upsampler(wide, factor=block.factor, residual=block.residual, causal=causal))
        self.resnets = nn.ModuleList(
            ResnetBlock(dim, dim, causal=causal, eps=eps, inject_noise=block.inject_noise, conditioned=conditioned)
            for _ in range(block.layers)
        )

    def raised(self, x: Tensor, timestep: Tensor | None, noise: Iterator[Tensor], time: Time) -> Tensor:  # noqa: ARG002 - as `refined`
        """Do what makes the frames more and larger: (B, in, F, H, W) -> (B, out, 2 F - 1, 2 H, 2 W)."""
        if self.widens:
            x = self.conv_in(x, None, noise, time)
        for upsampler in self.upsamplers:
            x = upsampler(x, time)
        return x

    def refined(self, x: Tensor, timestep: Tensor | None, noise: Iterator[Tensor], time: Time) -> Tensor:
        """Do what comes behind it: x (B, out, F, H, W), timestep (B,) where conditioned -> the same shape."""
        embedding = self.time_embedder(timestep) if self.time_embedder is not None else None
        for resnet in self.resnets:
            x = resnet(x, embedding, noise, time)
        return x
