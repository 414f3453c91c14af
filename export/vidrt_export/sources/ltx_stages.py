"""The stages of LTX-Video's VAE, each to be a graph of its own."""

from functools import partial

from vidrt_engines import streaming
from vidrt_engines.components import Signature
from vidrt_reference.ltx_video.vae_decoder import injected_noise
from vidrt_reference.ltx_video.vae_params import VaeParams, compression
from vidrt_reference.ltx_video.vae_streaming import (
    Flow,
    StageShape,
    VaeDecoderStage,
    VaeEncoderStage,
    decoder_stages,
    encoder_stages,
)

from vidrt_export.part import StagePart

_TRACED = {"batch": 2, "rows": 4, "columns": 5}
_TRACED_FRAMES = 3


def decoder_parts(params: VaeParams) -> tuple[StagePart, ...]:
    """The decoder's stages: one for each rate of frames."""
    return tuple(
        _part(params, shape, partial(VaeDecoderStage, params, number), _TRACED_FRAMES, shape.late + 1)
        for number, shape in enumerate(decoder_stages(params))
    )


def encoder_parts(params: VaeParams) -> tuple[StagePart, ...]:
    """The encoder's one stage; none where it looks ahead."""
    temporal = compression(params).temporal
    return tuple(
        _part(params, shape, partial(VaeEncoderStage, params), temporal, 1, conditioned=False)
        for shape in encoder_stages(params)
    )


def _part(
    params: VaeParams, shape: StageShape, make: "partial[VaeDecoderStage] | partial[VaeEncoderStage]",
    frames: int, first_frames: int, *, conditioned: bool | None = None,
) -> StagePart:  # fmt: skip
    scales = injected_noise(params)
    signature = streaming.stage(
        before=_frames(shape.before),
        after=_frames(shape.after),
        state=[_frames(kept.flow, kept.frames) for kept in shape.kept],
        timestep=params.timestep_conditioning if conditioned is None else conditioned,
        noise={number: scales[number] for number in shape.maps},
    )
    return StagePart(signature=signature, make=make, sizes=_sizes(signature, frames), first_frames=first_frames)


def _sizes(signature: Signature, frames: int) -> dict[str, int]:
    return streaming.stage_sizes(signature, frames=frames, **_TRACED)


def _frames(flow: Flow, kept: int = 0) -> streaming.Frames:
    return streaming.Frames(channels=flow.channels, scale=flow.scale, kept=kept)
