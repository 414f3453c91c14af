"""From denoised latents to frames."""

import copy

import numpy as np
from vidrt_engines.settings import LtxSettings

from vidrt.arrays import ByteArray, FloatArray
from vidrt.components.vae_decoder import VaeDecoder
from vidrt.noise.base import Generator
from vidrt.pipelines.conventions import Conventions
from vidrt.pipelines.latents import denormalise, to_bytes, unit_range, unpack
from vidrt.pipelines.options import DenoisingStep
from vidrt.pipelines.upscaling import resized_frames, tone_mapped


def decode_step(step: DenoisingStep, decoder: VaeDecoder, settings: LtxSettings) -> list[ByteArray]:
    """Decodes the latents of a step; the run's random streams stay as they are.

    Frames of a second pass are brought to the size that was asked for, those of a first one keep theirs.

    Returns:
        Frames (F, H, W, 3) for each video.
    """
    part, run = step.part, step.run
    latents = unpack(step.latents, step.grid)
    is_first = part is run.passes[0]
    size = (part.height, part.width) if is_first else (run.height, run.width)
    generators = copy.deepcopy(step.generators)
    return decode_latents(
        latents, decoder, settings, run.conventions, generators, tone_map=part.tone_map_compression, size=size
    )


def decode_latents(
    latents: FloatArray,
    decoder: VaeDecoder,
    settings: LtxSettings,
    rules: Conventions,
    generators: tuple[Generator, Generator],
    *,
    tone_map: float = 0.0,
    size: tuple[int, int] | None = None,
) -> list[ByteArray]:
    """Decodes videos one after the other.

    Args:
        latents: normalised, (B, C, F, H, W).
        decoder: the VAE's decoder.
        settings: the bundle's.
        rules: where decoding noise comes from and goes to.
        generators: the run's own, and the one that stands for torch's global generator.
        tone_map: how far large latents are brought back; 0 is not at all.
        size: the frames' height and width, where they are not to stay as they come.

    Returns:
        Frames (F, H, W, 3) for each video.
    """
    own, other = generators
    clean = _denoised(latents, settings, rules, other if rules.noise_before_denormalising else own, tone_map)
    maps = [other.normal(shape) for shape in decoder.noise_shapes(*latents.shape[3:])]
    timestep = rules.decode_timestep if settings.timestep_conditioning else None
    with decoder.held():
        return [_as_bytes(decoder(item[None], timestep, maps), size)[0] for item in clean]


def _as_bytes(frames: FloatArray, size: tuple[int, int] | None) -> ByteArray:
    unit = unit_range(frames)
    return to_bytes(unit if size is None else resized_frames(unit, *size))


def _denoised(
    latents: FloatArray, settings: LtxSettings, rules: Conventions, generator: Generator, tone_map: float
) -> FloatArray:
    """De-normalised latents, with decoding noise where the VAE wants it, and tone-mapped."""
    if not settings.timestep_conditioning:
        return denormalise(_mapped(latents, tone_map), settings)
    noise = generator.normal(latents.shape)
    scale = np.float32(rules.decode_noise_scale)
    if rules.noise_before_denormalising:
        return denormalise(_mapped(latents * (1 - scale) + noise * scale, tone_map), settings)
    return (1 - scale) * denormalise(latents, settings) + scale * noise


def _mapped(latents: FloatArray, compression: float) -> FloatArray:
    return tone_mapped(latents, compression) if compression else latents
