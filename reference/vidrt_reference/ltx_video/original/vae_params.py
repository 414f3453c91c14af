"""An official VAE's configuration, turned into the one by which it is built here."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from typing import TYPE_CHECKING, Any, Self

from vidrt_reference.checkpoint.config import Config
from vidrt_reference.checkpoint.errors import CheckpointError
from vidrt_reference.ltx_video.original.blocks import Block, Half, Kind, decoder_half, encoder_half, read_blocks
from vidrt_reference.ltx_video.original.config import METADATA
from vidrt_reference.ltx_video.vae_forms import DownBlockType, Downsample
from vidrt_reference.ltx_video.vae_params import VaeParams
from vidrt_reference.ltx_video.vae_plan import down_blocks, up_blocks

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

# What else decides what weights mean, each with the official default; one value of each is implemented.
_IMPLEMENTED: tuple[tuple[str, object, object], ...] = (
    ("dims", 3, None),
    ("norm_layer", "pixel_norm", "group_norm"),
    ("latent_log_var", "uniform", "per_channel"),
    ("use_quant_conv", False, True),
    ("normalize_latent_channels", False, False),
    ("spatial_padding_mode", "zeros", "zeros"),
)
_DOWNSAMPLES = {
    Kind.ALL: Downsample.CONV,
    Kind.SPACE_BOXES: Downsample.SPATIAL,
    Kind.TIME_BOXES: Downsample.TEMPORAL,
    Kind.ALL_BOXES: Downsample.SPATIOTEMPORAL,
}
_BASE = 128


@dataclass(frozen=True, kw_only=True)
class OriginalVae:
    """An official VAE.

    Attributes:
        params: by which it is built here.
        encoder, decoder: its blocks, in the order in which they run.
    """

    params: VaeParams
    encoder: Half
    decoder: Half

    @classmethod
    def from_config(cls, values: Mapping[str, object]) -> Self:
        """Read the configuration in a file's metadata; keys that the official code does not read are passed over.

        Raises:
            CheckpointError: a value is of the wrong type or not implemented, or blocks do not fit each other.
        """
        config = Config(what="VAE", values=values, where=METADATA)
        for key, wanted, default in _IMPLEMENTED:
            config.require(key, wanted, default=default)
        encoder_blocks = read_blocks(_list(values, "encoder_blocks"), half="encoder")
        decoder_blocks = read_blocks(_list(values, "decoder_blocks"), half="decoder")[::-1]
        encoder, decoder = encoder_half(encoder_blocks), decoder_half(decoder_blocks)
        params = VaeParams(
            in_channels=config.integer("in_channels", 3),
            out_channels=config.integer("out_channels", 3),
            latent_channels=config.integer("latent_channels", None),
            patch_size=config.integer("patch_size", 1),
            timestep_conditioning=config.flag("timestep_conditioning", False),
            scaling_factor=config.number("scaling_factor", 1.0),
            decoder_causal=config.flag("causal_decoder", False),
            **_encoder(encoder, config.integer("encoder_base_channels", _BASE), config.integer("patch_size", 1)),
            **_decoder(decoder, config.integer("decoder_base_channels", _BASE)),
        )
        down_blocks(params)  # each sees that what it makes of the lists fits together
        up_blocks(params)
        return cls(params=params, encoder=encoder, decoder=decoder)


def _list(values: Mapping[str, object], key: str) -> Sequence[object]:
    """A list of blocks, which both halves may share."""
    found = values.get(key, values.get("blocks"))
    if not isinstance(found, list):
        raise CheckpointError(
            f"Expected a list of blocks as {key} in the VAE's configuration, but it has {found!r}: "
            f"use the file as it was published."
        )
    return found


def _encoder(half: Half, base: int, patch: int) -> dict[str, Any]:
    widths, kinds = [base], [stage.compress[1] if stage.compress else None for stage in half.stages]
    has_boxes = any(block and block.kind is not Kind.ALL for block in kinds)
    for stage, block in zip(half.stages, kinds, strict=True):
        if has_boxes and stage.widen:
            raise _unlike("encoder", "its width change in res_x_y blocks or in compress_*_res blocks, not in both")
        boxes = block.multiplier if block and block.kind is not Kind.ALL else 1
        widths.append(widths[-1] * (stage.widen[1].multiplier if stage.widen else boxes))
        if stage.widen and stage.widen[1].multiplier == 1:
            raise _unlike("encoder", "no res_x_y block that leaves its width as it is")
    if not has_boxes and widths.pop() != widths[-1]:
        raise _unlike("encoder", "no res_x_y block before its middle")
    compressed = [_DOWNSAMPLES[block.kind].stride if block else (1, 1, 1) for block in kinds]
    kind = DownBlockType.DOWNSAMPLER if has_boxes else DownBlockType.RESNET
    return {
        "block_out_channels": tuple(widths),
        "down_block_types": (kind,) * len(kinds),
        "layers_per_block": (*(stage.resnets.layers for stage in half.stages), half.middle.resnets.layers),
        "spatio_temporal_scaling": tuple(block is not None for block in kinds),
        "downsample_type": tuple(_DOWNSAMPLES[block.kind] if block else Downsample.CONV for block in kinds),
        "spatial_compression_ratio": patch * prod(rows for _, rows, _ in compressed) if has_boxes else None,
        "temporal_compression_ratio": prod(frames for frames, _, _ in compressed) if has_boxes else None,
    }


def _decoder(half: Half, base: int) -> dict[str, Any]:
    """The lists are in the encoder's order, from the end of the decoder."""
    widths, enlarging = [base], [stage.compress[1] if stage.compress else None for stage in half.stages]
    for stage, block in zip(half.stages[::-1], enlarging[::-1], strict=True):
        narrowed = stage.widen[1].multiplier if stage.widen else 1
        if stage.widen and (narrowed == 1 or _factor(block) > 1):
            raise _unlike("decoder", "no res_x_y block but where the width changes, and there in it alone")
        widths.append(widths[-1] * narrowed * _factor(block))
    first = half.stages[0]
    if first.widen:
        raise _unlike("decoder", "no res_x_y block behind its middle")
    resnets = [half.middle.resnets, *(stage.resnets for stage in half.stages)][::-1]
    backwards = enlarging[::-1]
    return {
        "decoder_block_out_channels": tuple(
            width * _factor(block) for width, block in zip(widths, backwards, strict=False)
        ),
        "decoder_layers_per_block": tuple(block.layers for block in resnets),
        "decoder_inject_noise": tuple(block.inject_noise for block in resnets),
        "decoder_spatio_temporal_scaling": tuple(block is not None for block in backwards),
        "upsample_residual": tuple(bool(block and block.residual) for block in backwards),
        "upsample_factor": tuple(_factor(block) for block in backwards),
    }


def _factor(block: Block | None) -> int:
    return block.multiplier if block else 1


def _unlike(half: str, wanted: str) -> CheckpointError:
    return CheckpointError(f"Expected the VAE's {half} to have {wanted}: use a file of a supported version.")
