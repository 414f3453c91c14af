"""An official single file: the transformer and the VAE under their prefixes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from vidrt_reference.checkpoint.eight_bits import in_sixteen_bits
from vidrt_reference.checkpoint.errors import CheckpointError
from vidrt_reference.checkpoint.keys import below
from vidrt_reference.ltx_video.original.latent_upsampler import is_upscaler
from vidrt_reference.ltx_video.original.transformer import (
    params_of_config,
    params_of_shapes,
    transformer_tensors,
)
from vidrt_reference.ltx_video.original.vae import vae_tensors
from vidrt_reference.ltx_video.original.vae_params import OriginalVae
from vidrt_reference.ltx_video.original.vae_shapes import config_of_shapes

if TYPE_CHECKING:
    from collections.abc import Mapping

    from vidrt_reference.checkpoint.stored import StoredTensor
    from vidrt_reference.checkpoint.vae import VaeTensors
    from vidrt_reference.ltx_video.original.config import Told
    from vidrt_reference.ltx_video.transformer import TransformerParams
    from vidrt_reference.ltx_video.vae_params import VaeParams

TRANSFORMER, VAE = "model.diffusion_model.", "vae."
_TRANSFORMER_MARK, _VAE_MARK = "patchify_proj.weight", f"{VAE}decoder.conv_in.conv.weight"


@dataclass(frozen=True, kw_only=True)
class OriginalFile:
    """The components of a file, their tensors by their names here.

    Attributes:
        notes: what is worth saying of each, by its name in diffusers' folders.
    """

    transformer: TransformerParams
    transformer_tensors: dict[str, StoredTensor]
    vae: VaeParams
    vae_tensors: VaeTensors
    notes: dict[str, str]


def is_original(stored: Mapping[str, StoredTensor]) -> bool:
    """Whether names are those of an official file of LTX-Video, whole or not, or of its upscaler."""
    return _has_transformer(stored) or _VAE_MARK in stored or is_upscaler(stored)


def original_file(stored: Mapping[str, StoredTensor], told: Told) -> OriginalFile:
    """Tell a file's components apart, by its own configuration or, where it has none, by shapes.

    Raises:
        CheckpointError: a component is missing or not supported, or a tensor belongs nowhere.
    """
    _check_whole(stored)
    prefix = TRANSFORMER if f"{TRANSFORMER}{_TRANSFORMER_MARK}" in stored else ""
    others = {name: tensor for name, tensor in stored.items() if not name.startswith(VAE)}
    transformer = in_sixteen_bits({name.removeprefix(prefix): tensor for name, tensor in others.items()})
    vae = in_sixteen_bits(below(VAE, stored))
    original = OriginalVae.from_config(config_of_shapes(vae.tensors) if told.vae is None else told.vae)
    config = told.transformer
    notes = {"transformer": transformer.note("transformer"), "vae": vae.note("VAE")}
    return OriginalFile(
        transformer=params_of_shapes(transformer.tensors) if config is None else params_of_config(config),
        transformer_tensors=transformer_tensors(transformer.tensors),
        vae=original.params,
        vae_tensors=vae_tensors(vae.tensors, original),
        notes={name: note for name, note in notes.items() if note},
    )


def _has_transformer(stored: Mapping[str, StoredTensor]) -> bool:
    return f"{TRANSFORMER}{_TRANSFORMER_MARK}" in stored or _TRANSFORMER_MARK in stored


def _check_whole(stored: Mapping[str, StoredTensor]) -> None:
    if is_upscaler(stored):
        raise CheckpointError(
            "This is LTX-Video's latent upscaler, which belongs to a model's second pass and is no model: "
            "give a file such as ltxv-2b-0.9.8-distilled.safetensors, and this one as --upscaler."
        )
    has_transformer, has_vae = _has_transformer(stored), _VAE_MARK in stored
    if not (has_transformer and has_vae):
        one, other = ("transformer", "VAE") if has_transformer else ("VAE", "transformer")
        raise CheckpointError(
            f"Expected a file with both LTX-Video's transformer and its VAE, but this one has a {one} and no {other}: "
            f"give the official file that holds both."
        )
