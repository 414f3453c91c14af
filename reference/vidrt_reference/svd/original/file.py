"""An original single file: the UNet, the VAE and the image encoder under their prefixes, and what is not used."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from vidrt_reference.checkpoint.errors import CheckpointError
from vidrt_reference.checkpoint.keys import below, some
from vidrt_reference.svd.original import image_encoder, vae
from vidrt_reference.svd.original.unet import unet_tensors
from vidrt_reference.svd.original.vae import vae_tensors

if TYPE_CHECKING:
    from collections.abc import Mapping

    from vidrt_reference.checkpoint.stored import StoredTensor
    from vidrt_reference.svd.vae_tensors import VaeTensors

UNET = "model.diffusion_model."
_USED = (UNET, f"{vae.DECODER}decoder.", f"{vae.ENCODER}encoder.", f"{vae.ENCODER}quant_conv.", image_encoder.PREFIX)
# What the file keeps of models that were only halfway taken over, and of training.
_UNUSED = (
    f"{vae.DECODER}encoder.",
    f"{vae.ENCODER}decoder.",
    f"{vae.ENCODER}post_quant_conv.",
    *(
        f"conditioner.embedders.0.open_clip.model.{name}"
        for name in (
            "attn_mask", "ln_final.", "logit_scale", "positional_embedding", "text_projection", "token_embedding.",
            "transformer.",
        )
    ),
    "denoiser.",
)  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class OriginalTensors:
    """The tensors of each component by their names here."""

    unet: dict[str, StoredTensor]
    vae: VaeTensors
    image_encoder: dict[str, StoredTensor]


def is_original(stored: Mapping[str, StoredTensor]) -> bool:
    """Whether names are those of an original file of Stable Video Diffusion."""
    return f"{UNET}input_blocks.0.0.weight" in stored and f"{vae.DECODER}decoder.conv_in.weight" in stored


def original_tensors(stored: Mapping[str, StoredTensor]) -> OriginalTensors:
    """Tell the tensors of a file apart; those that no component needs are dropped by name.

    Raises:
        CheckpointError: a tensor belongs nowhere.
    """
    left_over = [name for name in stored if not name.startswith((*_USED, *_UNUSED))]
    if left_over:
        raise CheckpointError(
            f"Expected a UNet, a VAE and an image encoder, but there are {len(left_over)} tensors left over "
            f"({some(left_over)}): use svd.safetensors or svd_xt.safetensors as they were published."
        )
    return OriginalTensors(
        unet=unet_tensors(below(UNET, stored)),
        vae=vae_tensors(stored),
        image_encoder=image_encoder.image_encoder_tensors(below(image_encoder.PREFIX, stored)),
    )
