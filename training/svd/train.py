"""All phases of the demo model's training, in order; each continues where it was stopped."""

from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path

import torch

from training.svd.diffusion import train_diffusion
from training.svd.latents import encoded
from training.svd.save import save
from training.svd.vae import train_decoder, train_vae


class Part(StrEnum):
    """What can be run alone once the parts above it are done; decoder and diffusion need only the VAE."""

    VAE = "vae"
    DECODER = "decoder"
    DIFFUSION = "diffusion"
    SAVE = "save"


def train(work: Path, target: Path, device: torch.device, parts: Sequence[Part] = tuple(Part)) -> None:
    """Trains what is not trained yet and saves the pipeline as diffusers does."""
    vae = train_vae(work, device)
    if Part.DIFFUSION in parts or Part.SAVE in parts:
        model = train_diffusion(encoded(vae, work, device), vae.config.scaling_factor, work, device)
    if Part.DECODER in parts or Part.SAVE in parts:
        vae = train_decoder(vae, work, device)
    if Part.SAVE in parts:
        save(vae, model, target)
    print(f"Stable Video Diffusion: {', '.join(parts)} done", flush=True)
