"""The decoder of LTX-Video's VAE: from latents to frames."""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from vidrt_reference.layers import TimestepEmbedder
from vidrt_reference.ltx_video.vae_blocks import MidBlock, UpBlock
from vidrt_reference.ltx_video.vae_layers import CausalConv3d, channel_values, pixel_normalised
from vidrt_reference.ltx_video.vae_plan import up_blocks
from vidrt_reference.ltx_video.vae_time import CLIP
from vidrt_reference.precision import widened
from vidrt_reference.shapes import merge_axes, split_axis

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from vidrt_reference.ltx_video.vae_params import VaeParams
    from vidrt_reference.ltx_video.vae_time import Time

    Step = Callable[[Tensor, Tensor | None, Iterator[Tensor], Time], Tensor]

_TIMESTEP_SCALE = 1000.0
_MAPS_PER_RESNET = 2


def unpatched(x: Tensor, size: int) -> Tensor:
    """Move channels to square patches, column before row: (B, C * size², F, H, W) -> (B, C, F, H * size, W * size)."""
    squares = split_axis(x, 1, [-1, size, size]).permute(0, 1, 4, 5, 3, 6, 2)  # (B, C, F, H, rows, W, columns)
    return merge_axes(merge_axes(squares, 5, 2), 3, 2)


def injected_noise(params: VaeParams) -> tuple[int, ...]:
    """Return how much larger than the latents, in rows and columns, each map of noise is that the decoder takes."""
    scale, scales = 1, [1] * (_MAPS_PER_RESNET * params.decoder_layers_per_block[-1] * params.decoder_inject_noise[-1])
    for block in up_blocks(params):
        scale *= 2 if block.upsample else 1
        scales += [scale] * (_MAPS_PER_RESNET * block.layers * block.inject_noise)
    return tuple(scales)


class VaeDecoder(nn.Module):
    """Decodes latents; parameters are named as in diffusers' `AutoencoderKLLTXVideo` below `decoder.`.

    Attributes:
        injected_noise: for each map of noise that `forward` takes, how much larger than the latents it is in rows and
            columns; empty where none is injected.
    """

    timestep_scale_multiplier: nn.Parameter | None

    def __init__(self, params: VaeParams) -> None:
        super().__init__()
        blocks = up_blocks(params)
        first, last, causal = params.decoder_block_out_channels[-1], blocks[-1].out_channels, params.decoder_causal
        self.params = params
        self.injected_noise = injected_noise(params)
        self.conv_in = CausalConv3d(params.latent_channels, first, causal=causal)
        self.mid_block = MidBlock(
            first,
            layers=params.decoder_layers_per_block[-1],
            eps=params.resnet_norm_eps,
            causal=causal,
            inject_noise=params.decoder_inject_noise[-1],
            conditioned=params.timestep_conditioning,
        )
        self.up_blocks = nn.ModuleList(UpBlock(block, params) for block in blocks)
        self.conv_out = CausalConv3d(last, params.out_channels * params.patch_size**2, causal=causal)
        self.timestep_scale_multiplier = None
        if params.timestep_conditioning:
            self.timestep_scale_multiplier = nn.Parameter(torch.tensor(_TIMESTEP_SCALE))
            self.time_embedder = TimestepEmbedder(last * 2)
            self.scale_shift_table = nn.Parameter(torch.zeros(2, last))

    def forward(self, latents: Tensor, timestep: Tensor | None = None, noise: Sequence[Tensor] = ()) -> Tensor:
        """Decode latents.

        Args:
            latents: (B, C, F, H, W), de-normalised.
            timestep: (B,) of fp32, for instance 0.05, where the decoder is conditioned on it.
            noise: maps (H * scale, W * scale), one for each entry of `injected_noise`.

        Returns:
            Frames (B, 3, 8 (F - 1) + 1, H * 32, W * 32) in the real models' compression, about -1 to 1.

        Raises:
            ValueError: the timestep or the maps are not those that this decoder takes.
        """
        self._check(timestep, noise)
        return self.run(chain(*self.stages()), latents, timestep, noise, CLIP)

    def stages(self) -> list[list[Step]]:
        """Return the steps of decoding, parted wherever frames become more."""
        stages: list[list[Step]] = [[self._begin, self.mid_block]]
        for block in self.up_blocks:
            assert isinstance(block, UpBlock)
            stages[-1].append(block.raised)
            if len(block.upsamplers):
                stages.append([])
            stages[-1].append(block.refined)
        stages[-1].append(self._finish)
        return stages

    def run(
        self, steps: Iterable[Step], x: Tensor, timestep: Tensor | None, noise: Sequence[Tensor], time: Time
    ) -> Tensor:
        """Run some steps: x is what they begin with, and `noise` the maps that they take; others as in `forward`."""
        timestep, maps = self._scaled(timestep), iter(noise)
        for step in steps:
            x = step(x, timestep, maps, time)
        return x

    def _begin(self, x: Tensor, timestep: Tensor | None, maps: Iterator[Tensor], time: Time) -> Tensor:  # noqa: ARG002 - as every step
        hidden: Tensor = self.conv_in(x, time)
        return hidden

    def _finish(self, x: Tensor, timestep: Tensor | None, maps: Iterator[Tensor], time: Time) -> Tensor:  # noqa: ARG002 - as every step
        x = self._modulated(pixel_normalised(x), timestep)
        return unpatched(self.conv_out(nn.functional.silu(x), time), self.params.patch_size)

    def _scaled(self, timestep: Tensor | None) -> Tensor | None:
        if timestep is None or self.timestep_scale_multiplier is None:
            return None
        return widened(timestep) * widened(self.timestep_scale_multiplier)

    def _modulated(self, x: Tensor, timestep: Tensor | None) -> Tensor:
        if timestep is None:
            return x
        shift, scale = channel_values(self.time_embedder(timestep), self.scale_shift_table)
        return x * (1 + scale) + shift

    def _check(self, timestep: Tensor | None, noise: Sequence[Tensor]) -> None:
        if (timestep is not None) != self.params.timestep_conditioning:
            wanted = "a timestep" if self.params.timestep_conditioning else "no timestep"
            raise ValueError(f"This decoder takes {wanted}, but got {'one' if timestep is not None else 'none'}.")
        if len(noise) != len(self.injected_noise):
            raise ValueError(f"This decoder takes {len(self.injected_noise)} maps of noise, but got {len(noise)}.")
