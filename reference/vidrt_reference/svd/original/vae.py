"""The VAE in its original layout: an encoder kept with the conditioning, and a temporal decoder beside it.

Source: `AutoencodingEngine`, `AutoencoderKLModeOnly` and `VideoDecoder` of Stability AI's generative-models.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from vidrt_reference.checkpoint.derived import reshaped
from vidrt_reference.checkpoint.keys import below, count_below, placed, renamed, shape_of
from vidrt_reference.svd.vae_params import LAYERS, VaeParams
from vidrt_reference.svd.vae_tensors import VaeTensors

if TYPE_CHECKING:
    from collections.abc import Mapping

    from vidrt_reference.checkpoint.stored import StoredTensor

# The picture goes through the encoder that belongs to the conditioning; the first stage's own only trained the model.
ENCODER, DECODER = "conditioner.embedders.3.encoder.", "first_stage_model."

_OUTSIDE = {"conv_in": "conv_in", "norm_out": "conv_norm_out", "conv_out": "conv_out"}
_RESNET = {name: name for name in ("norm1", "conv1", "norm2", "conv2")} | {"nin_shortcut": "conv_shortcut"}
_HALF = {"in_layers.0": "norm1", "in_layers.2": "conv1", "out_layers.0": "norm2", "out_layers.3": "conv2"}
_TEMPORAL_RESNET = {
    **{theirs: f"spatial_res_block.{ours}" for theirs, ours in _RESNET.items()},
    **{f"time_stack.{theirs}": f"temporal_res_block.{ours}" for theirs, ours in _HALF.items()},
    "mix_factor": "time_mixer.mix_factor",
}
_ATTENTION = {"norm": "group_norm", "q": "to_q", "k": "to_k", "v": "to_v", "proj_out": "to_out.0"}


def vae_params(stored: Mapping[str, StoredTensor]) -> VaeParams:
    """What the shapes of both halves tell.

    Args:
        stored: all tensors of the file.

    Raises:
        CheckpointError: a tensor is missing that says how wide or deep it is.
    """
    levels = _levels(stored)
    widths = tuple(_shape(stored, f"{ENCODER}encoder.down.{level}.block.0.conv2.weight")[0] for level in range(levels))
    return VaeParams(
        in_channels=_shape(stored, f"{ENCODER}encoder.conv_in.weight")[1],
        out_channels=_shape(stored, f"{DECODER}decoder.conv_out.weight")[0],
        block_out_channels=widths,
        latent_channels=_shape(stored, f"{DECODER}decoder.conv_in.weight")[1],
    )


def vae_tensors(stored: Mapping[str, StoredTensor]) -> VaeTensors:
    """The tensors of both halves by their names here, of all that the file holds.

    Raises:
        CheckpointError: one of them is no VAE's.
    """
    levels = _levels(stored)
    encoder = renamed(below(f"{ENCODER}encoder.", stored), _encoder_table(levels), what="VAE's encoder")
    quant = {f"quant_conv.{leaf}": tensor for leaf, tensor in below(f"{ENCODER}quant_conv.", stored).items()}
    decoder = renamed(below(f"{DECODER}decoder.", stored), _decoder_table(levels), what="VAE's decoder")
    return VaeTensors(decoder=_as_linear(decoder), encoder=_as_linear({**encoder, **quant}))


def _levels(stored: Mapping[str, StoredTensor]) -> int:
    return count_below(f"{ENCODER}encoder.down.", stored)


def _encoder_table(levels: int) -> dict[str, str]:
    table = {**_OUTSIDE, **_middle(_RESNET)}
    for level in range(levels):
        table |= {f"down.{level}.downsample": f"down_blocks.{level}.downsamplers.0"}
        for number in range(LAYERS):
            table |= placed(f"down.{level}.block.{number}", f"down_blocks.{level}.resnets.{number}", _RESNET)
    return table


def _decoder_table(levels: int) -> dict[str, str]:
    """On the way up, blocks are numbered from the end."""
    table = {**_OUTSIDE, "conv_out.time_mix_conv": "time_conv_out", **_middle(_TEMPORAL_RESNET)}
    for level in range(levels):
        block = f"up_blocks.{levels - 1 - level}"
        table |= {f"up.{level}.upsample": f"{block}.upsamplers.0"}
        for number in range(LAYERS + 1):
            table |= placed(f"up.{level}.block.{number}", f"{block}.resnets.{number}", _TEMPORAL_RESNET)
    return table


def _middle(resnet: Mapping[str, str]) -> dict[str, str]:
    return {
        **placed("mid.block_1", "mid_block.resnets.0", resnet),
        **placed("mid.attn_1", "mid_block.attentions.0", _ATTENTION),
        **placed("mid.block_2", "mid_block.resnets.1", resnet),
    }


def _as_linear(tensors: Mapping[str, StoredTensor]) -> dict[str, StoredTensor]:
    """The attention's products are kept as convolutions of one pixel."""
    return {
        name: reshaped(tensor, *tensor.shape[:2]) if ".attentions." in name and tensor.shape[2:] == (1, 1) else tensor
        for name, tensor in tensors.items()
    }


def _shape(stored: Mapping[str, StoredTensor], name: str) -> tuple[int, ...]:
    return shape_of(stored, name, 4, what="VAE")
