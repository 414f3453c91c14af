"""A VAE's tensors, told apart: its two halves and the statistics of its latents."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from vidrt_reference.checkpoint.errors import CheckpointError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from vidrt_reference.checkpoint.stored import StoredTensor

STATISTICS = ("latents_mean", "latents_std")


@dataclass(frozen=True, kw_only=True)
class VaeTensors:
    """Each tensor of a VAE in exactly one place, halves without their prefix."""

    decoder: dict[str, StoredTensor]
    encoder: dict[str, StoredTensor]
    statistics: dict[str, StoredTensor]


def split_vae(stored: Mapping[str, StoredTensor]) -> VaeTensors:
    """Tell a diffusers VAE's tensors apart.

    Raises:
        CheckpointError: a tensor belongs nowhere, or a statistic is missing.
    """
    decoder, encoder = _below("decoder.", stored), _below("encoder.", stored)
    statistics = {name: stored[name] for name in STATISTICS if name in stored}
    known = {*(f"decoder.{name}" for name in decoder), *(f"encoder.{name}" for name in encoder), *statistics}
    left_over = sorted(stored.keys() - known)
    missing = [name for name in STATISTICS if name not in statistics]
    if left_over or missing:
        told = " and ".join(
            f"{len(names)} {fault} ({names[0]})"
            for fault, names in (("left over", left_over), ("missing", missing))
            if names
        )
        raise CheckpointError(
            f"Expected a VAE of a decoder, an encoder, latents_mean and latents_std, but there are tensors {told}: "
            f"use a VAE that diffusers saved."
        )
    return VaeTensors(decoder=decoder, encoder=encoder, statistics=statistics)


def _below(prefix: str, stored: Mapping[str, StoredTensor]) -> dict[str, StoredTensor]:
    return {name.removeprefix(prefix): tensor for name, tensor in stored.items() if name.startswith(prefix)}
