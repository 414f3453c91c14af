"""The tensors of Stable Video Diffusion's VAE, told apart: its two halves."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from vidrt_reference.checkpoint.errors import CheckpointError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from vidrt_reference.checkpoint.stored import StoredTensor

_DECODER, _ENCODER, _QUANT = "decoder.", "encoder.", "quant_conv."


@dataclass(frozen=True, kw_only=True)
class VaeTensors:
    """Each tensor of a VAE in exactly one place, by the names that its half's module has."""

    decoder: dict[str, StoredTensor]
    encoder: dict[str, StoredTensor]


def split_vae(stored: Mapping[str, StoredTensor]) -> VaeTensors:
    """Tell the tensors of diffusers' `AutoencoderKLTemporalDecoder` apart.

    Raises:
        CheckpointError: a tensor belongs nowhere.
    """
    left_over = sorted(name for name in stored if not name.startswith((_DECODER, _ENCODER, _QUANT)))
    if left_over:
        raise CheckpointError(
            f"Expected a VAE of an encoder, a quant_conv and a temporal decoder, but there are tensors "
            f"{len(left_over)} left over ({left_over[0]}): use a VAE that diffusers saved."
        )
    quant = {name: tensor for name, tensor in stored.items() if name.startswith(_QUANT)}
    return VaeTensors(decoder=_below(_DECODER, stored), encoder={**_below(_ENCODER, stored), **quant})


def _below(prefix: str, stored: Mapping[str, StoredTensor]) -> dict[str, StoredTensor]:
    return {name.removeprefix(prefix): tensor for name, tensor in stored.items() if name.startswith(prefix)}
