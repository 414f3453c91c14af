"""The blocks that a VAE's configuration comes to, in the order in which they run."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from vidrt_reference.checkpoint.errors import CheckpointError
from vidrt_reference.ltx_video.vae_forms import DownBlockType, Downsample
from vidrt_reference.ltx_video.vae_params import VaeParams

if TYPE_CHECKING:
    from collections.abc import Mapping

_UP_VOLUME = 8  # voxels that one becomes in an upsampler


@dataclass(frozen=True, kw_only=True)
class DownBlockParams:
    """One block of the encoder."""

    block_type: DownBlockType
    in_channels: int
    out_channels: int
    layers: int
    downsample: Downsample | None


@dataclass(frozen=True, kw_only=True)
class UpBlockParams:
    """One block of the decoder; its upsampler takes `factor` times the block's width."""

    in_channels: int
    out_channels: int
    layers: int
    upsample: bool
    residual: bool
    factor: int
    inject_noise: bool


def read_vae_params(values: Mapping[str, object]) -> VaeParams:
    """Read diffusers' config.json and see that its blocks fit each other.

    Raises:
        CheckpointError: a value is of the wrong type, not implemented, or at odds with another.
    """
    params = VaeParams.from_config(values)
    down_blocks(params)
    up_blocks(params)
    return params


def down_blocks(params: VaeParams) -> tuple[DownBlockParams, ...]:
    """Return the encoder's blocks in the order in which they run."""
    kinds = {DownBlockType(kind) for kind in params.down_block_types}
    if len(kinds) != 1:
        raise _misfit("down_block_types", "of one type", params.down_block_types)
    widths = params.block_out_channels
    if kinds == {DownBlockType.RESNET}:
        widths = (*widths, widths[-1])  # the last block keeps its width
    count = len(widths) - 1
    _require_length(params, count, "down_block_types", "spatio_temporal_scaling", "downsample_type")
    _require_length(params, count + 1, "layers_per_block")
    return tuple(_down_block(params, number, widths[number], widths[number + 1]) for number in range(count))


def up_blocks(params: VaeParams) -> tuple[UpBlockParams, ...]:
    """Return the decoder's blocks in the order in which they run."""
    count = len(params.decoder_block_out_channels)
    _require_length(params, count, "decoder_spatio_temporal_scaling", "upsample_residual", "upsample_factor")
    _require_length(params, count + 1, "decoder_layers_per_block", "decoder_inject_noise")
    blocks: list[UpBlockParams] = []
    for number, width in enumerate(reversed(params.decoder_block_out_channels)):
        blocks.append(_up_block(params, number, blocks[-1].out_channels if blocks else width, width))
    return tuple(blocks)


def _down_block(params: VaeParams, number: int, in_channels: int, out_channels: int) -> DownBlockParams:
    block_type = DownBlockType(params.down_block_types[number])
    downsample = None
    if params.spatio_temporal_scaling[number]:
        resnet = block_type is DownBlockType.RESNET
        downsample = Downsample.CONV if resnet else Downsample(params.downsample_type[number])
    if block_type is DownBlockType.DOWNSAMPLER:
        _check_downsampler(downsample, in_channels, out_channels)
    return DownBlockParams(
        block_type=block_type,
        in_channels=in_channels,
        out_channels=out_channels,
        layers=params.layers_per_block[number],
        downsample=downsample,
    )


def _check_downsampler(downsample: Downsample | None, in_channels: int, out_channels: int) -> None:
    if downsample in {None, Downsample.CONV}:
        fits = in_channels == out_channels
    else:
        volume = math.prod(Downsample(str(downsample)).stride)
        fits = out_channels % volume == 0 and in_channels * volume % out_channels == 0
    if not fits:
        kind = str(downsample) if downsample else "no"
        raise _misfit("block_out_channels", f"such that {kind} downsampling can change", (in_channels, out_channels))


def _up_block(params: VaeParams, number: int, previous: int, width: int) -> UpBlockParams:
    from_end = -1 - number
    factor = params.upsample_factor[from_end]
    block = UpBlockParams(
        in_channels=previous // factor,
        out_channels=width // factor,
        layers=params.decoder_layers_per_block[from_end - 1],
        upsample=params.decoder_spatio_temporal_scaling[from_end],
        residual=params.upsample_residual[from_end],
        factor=factor,
        inject_noise=params.decoder_inject_noise[from_end - 1],
    )
    _check_up_block(block, previous, width, conditioned=params.timestep_conditioning)
    return block


def _check_up_block(block: UpBlockParams, previous: int, width: int, *, conditioned: bool) -> None:
    if previous != width and (block.factor > 1 or block.inject_noise or conditioned):
        wanted = "alike at a block that scales up by a factor, injects noise or sees the timestep"
        raise _misfit("decoder_block_out_channels", wanted, (previous, width))
    if width % block.factor or (block.factor > 1 and not block.upsample):
        raise _misfit("upsample_factor", f"divisors of the {width} channels of a block that upsamples", block.factor)
    if block.residual and (_UP_VOLUME % block.factor or width % _UP_VOLUME):
        raise _misfit("upsample_residual", "only at blocks whose factor divides 8 and whose width 8 divides", width)


def _require_length(params: VaeParams, length: int, *keys: str) -> None:
    """Longer is right: what a configuration leaves out has the default, made for four blocks."""
    for key in keys:
        if len(getattr(params, key)) < length:
            raise _misfit(key, f"at least {length} long", getattr(params, key))


def _misfit(key: str, wanted: str, came: object) -> CheckpointError:
    return CheckpointError(
        f"The VAE's {key} were expected to be {wanted}, to fit the other lists in its config.json, but are {came}: "
        f"mend the file."
    )
