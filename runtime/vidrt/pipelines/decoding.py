"""From denoised latents to frames."""

import numpy as np
from vidrt_engines.settings import LtxSettings

from vidrt.arrays import ByteArray, FloatArray
from vidrt.components.vae_decoder import VaeDecoder
from vidrt.noise.base import Generator
from vidrt.pipelines.conventions import Conventions
from vidrt.pipelines.latents import denormalise, to_bytes


def decode_latents(
    latents: FloatArray,
    decoder: VaeDecoder,
    settings: LtxSettings,
    rules: Conventions,
    generators: tuple[Generator, Generator],
) -> list[ByteArray]:
    """Decodes videos one after the other.

    Args:
        latents: normalised, (B, C, F, H, W).
        decoder: the VAE's decoder.
        settings: the bundle's.
        rules: where decoding noise comes from and goes to.
        generators: the run's own, and the one that stands for torch's global generator.

    Returns:
        Frames (F, H, W, 3) for each video.
    """
    own, other = generators
    clean = _denoised(latents, settings, rules, other if rules.noise_before_denormalising else own)
    maps = [other.normal(shape) for shape in decoder.noise_shapes(*latents.shape[3:])]
    timestep = rules.decode_timestep if settings.timestep_conditioning else None
    with decoder.held():
        return [to_bytes(decoder(item[None], timestep, maps))[0] for item in clean]


def _denoised(latents: FloatArray, settings: LtxSettings, rules: Conventions, generator: Generator) -> FloatArray:
    """De-normalised latents, with decoding noise where the VAE wants it."""
    if not settings.timestep_conditioning:
        return denormalise(latents, settings)
    noise = generator.normal(latents.shape)
    scale = np.float32(rules.decode_noise_scale)
    if rules.noise_before_denormalising:
        return denormalise(latents * (1 - scale) + noise * scale, settings)
    return (1 - scale) * denormalise(latents, settings) + scale * noise
