"""LTX-Video's VAE on parts of a video: its stages, each at one rate of frames, what they keep going in and out."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import accumulate
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from vidrt_reference.ltx_video.vae_decoder import VaeDecoder, injected_noise
from vidrt_reference.ltx_video.vae_encoder import VaeEncoder
from vidrt_reference.ltx_video.vae_params import compression
from vidrt_reference.ltx_video.vae_plan import up_blocks
from vidrt_reference.ltx_video.vae_time import Probe, Stream

if TYPE_CHECKING:
    from collections.abc import Sequence

    from vidrt_reference.ltx_video.vae_params import VaeParams
    from vidrt_reference.ltx_video.vae_time import Time


class VaeDecoderStage(VaeDecoder):
    """One stage of the decoder; parameters are the whole decoder's, of which it uses its own."""

    def __init__(self, params: VaeParams, number: int) -> None:
        super().__init__(params)
        self.number = number

    def forward(  # type: ignore[override]  # a part of it
        self, chunk: Tensor, *, last: Tensor, timestep: Tensor | None = None, noise: Sequence[Tensor] = (),
        state: Sequence[Tensor],
    ) -> tuple[Tensor, ...]:  # fmt: skip
        """Run the stage on some frames of a video.

        Args:
            chunk: (B, C, F, H, W): latents, or what the stage before gave. The first chunk of a video that does not
                end with it has more frames than the stage has convolutions in a row.
            last: (1,) of int64, 1 where the video ends with this chunk, else 0.
            timestep: (B,) of fp32 where the decoder is conditioned on it.
            noise: the maps that this stage takes, in the decoder's order.
            state: what the stage gave for the chunk before, each with no frames for the first.

        Returns:
            What goes to the next stage, in the end frames, then the state for the next chunk.
        """
        stream = Stream(state, last)
        return self.passed(chunk, timestep, noise, stream), *stream.kept

    def passed(self, chunk: Tensor, timestep: Tensor | None, noise: Sequence[Tensor], time: Time) -> Tensor:
        """What goes to the next stage."""
        return self.run(self.stages()[self.number], chunk, timestep, noise, time)


class VaeEncoderStage(VaeEncoder):
    """The encoder, which looks back only: one stage, on chunks of as many frames as one latent frame stands for."""

    def forward(  # type: ignore[override]  # a part of it
        self, chunk: Tensor, *, last: Tensor, state: Sequence[Tensor]
    ) -> tuple[Tensor, ...]:
        """Encode some frames of a video.

        Args:
            chunk: (B, 3, F, H, W) in -1 to 1; F is 8 n + 1 for the first chunk and 8 n for others.
            last: (1,) of int64, which changes nothing.
            state: as for a stage of the decoder.

        Returns:
            The moments of latents, as the whole encoder gives them, then the state for the next chunk.
        """
        stream = Stream(state, last)
        return self.run(chunk, stream), *stream.kept


@dataclass(frozen=True, kw_only=True)
class Flow:
    """Frames between stages: their channels, and how much larger than the latents they are in rows and columns."""

    channels: int
    scale: int


@dataclass(frozen=True, kw_only=True)
class Kept:
    """What a layer keeps: so many frames of a flow."""

    flow: Flow
    frames: int


@dataclass(frozen=True, kw_only=True)
class StageShape:
    """What a stage takes and gives.

    Attributes:
        before, after: what it gets and what it passes on.
        kept: its state, in order.
        maps: the numbers of the maps of noise that it takes.
        late: by how many frames it runs late, counted in its own.
    """

    before: Flow
    after: Flow
    kept: tuple[Kept, ...]
    maps: tuple[int, ...]
    late: int


def decoder_stages(params: VaeParams) -> tuple[StageShape, ...]:
    """Return what each stage of a decoder takes and gives."""
    with torch.device("meta"):
        decoder = VaeDecoder(params)
        x = torch.empty(1, params.latent_channels, 3, 1, 1)
        timestep = torch.empty(1) if params.timestep_conditioning else None
        maps = [torch.empty(scale, scale) for scale in injected_noise(params)]
    shapes = []
    for steps, (begin, end) in zip(decoder.stages(), _map_ranges(params), strict=True):
        probe, before = Probe(), _flow(x)
        x = decoder.run(steps, x, timestep, maps[begin:end], probe)
        shapes.append(_shape(probe, before, _flow(x), tuple(range(begin, end))))
    return tuple(shapes)


def encoder_stages(params: VaeParams) -> tuple[StageShape, ...]:
    """Return what the stage of an encoder takes and gives; none where it looks ahead."""
    if not params.encoder_causal:
        return ()
    spatial, temporal = compression(params)
    with torch.device("meta"):
        encoder = VaeEncoder(params)
        x = torch.empty(1, params.in_channels, temporal, spatial, spatial)
    probe = Probe()
    return (_shape(probe, _flow(x), _flow(encoder.run(x, probe)), ()),)


def _map_ranges(params: VaeParams) -> list[tuple[int, int]]:
    """For each stage the first of its maps of noise and the one behind its last."""
    counts = [0]
    blocks = up_blocks(params)
    layers = [(params.decoder_layers_per_block[-1] * params.decoder_inject_noise[-1], False)]
    for count, begins in [*layers, *((block.layers * block.inject_noise, block.upsample) for block in blocks)]:
        counts += [0] * begins
        counts[-1] += 2 * count
    ends = list(accumulate(counts))
    return list(zip([0, *ends], ends, strict=False))


def _flow(x: Tensor) -> Flow:
    return Flow(channels=x.shape[1], scale=x.shape[3])


def _shape(probe: Probe, before: Flow, after: Flow, maps: tuple[int, ...]) -> StageShape:
    kept = tuple(Kept(flow=_flow(x), frames=x.shape[2]) for x in probe.kept)
    return StageShape(before=before, after=after, kept=kept, maps=maps, late=probe.late)
