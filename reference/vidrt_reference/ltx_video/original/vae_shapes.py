"""The official configuration of a VAE, told by its tensors where a file has none."""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING

from vidrt_reference.checkpoint.errors import CheckpointError
from vidrt_reference.checkpoint.keys import below, count_below, shape_of
from vidrt_reference.ltx_video.original.blocks import Kind

if TYPE_CHECKING:
    from collections.abc import Mapping

    from vidrt_reference.checkpoint.stored import StoredTensor

_COLOURS, _UP_VOLUME = 3, 8
_BOXES = {2: Kind.TIME_BOXES, 4: Kind.SPACE_BOXES, 8: Kind.ALL_BOXES}  # by how many voxels become one


def config_of_shapes(stored: Mapping[str, StoredTensor]) -> dict[str, object]:
    """What the official configuration of a VAE would be.

    Shapes tell all but one thing: whether an upsampler adds its input. Those of the published VAEs do that narrow.

    Args:
        stored: the VAE's tensors, without the prefix that they have in a file.

    Raises:
        CheckpointError: a tensor is missing that says how wide or deep a block is.
    """
    patch = math.isqrt(_shape(stored, "encoder.conv_in.conv.weight")[1] // _COLOURS)
    return {
        "dims": 3,
        "in_channels": _COLOURS,
        "out_channels": _COLOURS,
        "latent_channels": _shape(stored, "decoder.conv_in.conv.weight")[1],
        "encoder_blocks": _encoder_blocks(below("encoder.", stored)),
        "decoder_blocks": _decoder_blocks(below("decoder.", stored))[::-1],
        "norm_layer": "pixel_norm",
        "patch_size": patch,
        "latent_log_var": "uniform",
        "use_quant_conv": False,
        "timestep_conditioning": "decoder.last_scale_shift_table" in stored,
        "encoder_base_channels": _shape(stored, "encoder.conv_in.conv.weight")[0],
        "decoder_base_channels": _shape(stored, "decoder.conv_out.conv.weight")[1],
    }


def _encoder_blocks(stored: Mapping[str, StoredTensor]) -> list[object]:
    """Boxes of voxels become channels behind a convolution: its width and the next block's say how large they are."""
    blocks: list[object] = []
    width = _shape(stored, "conv_in.conv.weight")[0]
    for number in range(_count("down_blocks", stored)):
        block = below(f"down_blocks.{number}.", stored)
        if resnets := count_below("res_blocks.", block):
            blocks.append([Kind.RESNETS, {"num_layers": resnets}])
        elif "conv1.conv.weight" in block:
            widened = _shape(block, "conv1.conv.weight")[0]
            blocks.append([Kind.WIDENING, {"multiplier": widened // width}])
            width = widened
        elif "conv.conv.weight" in block:
            following = _shape(stored, f"down_blocks.{number + 1}.res_blocks.0.conv1.conv.weight")[1]
            kind = _BOXES.get(following // _shape(block, "conv.conv.weight")[0])
            if kind is None:
                raise _unknown("encoder", number)
            blocks.append([kind, {"multiplier": following // width}])
            width = following
        elif "conv.weight" in block:
            blocks.append([Kind.ALL, {}])
        else:
            raise _unknown("encoder", number)
    return blocks


def _decoder_blocks(stored: Mapping[str, StoredTensor]) -> list[object]:
    """In the order in which they run."""
    blocks: list[object] = []
    for number in range(_count("up_blocks", stored)):
        block = below(f"up_blocks.{number}.", stored)
        if resnets := count_below("res_blocks.", block):
            inject = "res_blocks.0.per_channel_scale1" in block
            blocks.append([Kind.RESNETS, {"num_layers": resnets, "inject_noise": inject}])
        elif "conv1.conv.weight" in block:
            narrow, wide = _shape(block, "conv1.conv.weight")[:2]
            blocks.append([Kind.WIDENING, {"multiplier": max(1, wide // narrow)}])
        elif "conv.conv.weight" in block:
            out, into = _shape(block, "conv.conv.weight")[:2]
            factor = max(1, _UP_VOLUME * into // out)
            blocks.append([Kind.ALL, {"multiplier": factor, "residual": factor > 1}])
        else:
            raise _unknown("decoder", number)
    return blocks


def _count(blocks: str, stored: Mapping[str, StoredTensor]) -> int:
    numbers = {match[1] for name in stored if (match := re.match(rf"{blocks}\.(\d+)\.", name))}
    return max(map(int, numbers), default=-1) + 1


def _shape(stored: Mapping[str, StoredTensor], name: str) -> tuple[int, ...]:
    shape = shape_of(stored, name, 5, what="VAE")
    if 0 in shape:
        raise CheckpointError(f"Expected {name} of the VAE to hold numbers, but its shape is {list(shape)}.")
    return shape


def _unknown(half: str, number: int) -> CheckpointError:
    return CheckpointError(
        f"Expected the VAE's {half} to be told by its tensors, but block {number} is of no known kind: "
        f"use a file that has a config in its metadata."
    )
