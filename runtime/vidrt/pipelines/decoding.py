"""From denoised latents to frames."""

import numpy as np
from vidrt_engines.settings import LtxSettings

from vidrt.arrays import ByteArray, FloatArray
from vidrt.components.vae_decoder import VaeDecoder
from vidrt.pipelines.final_latents import FinalLatents
from vidrt.pipelines.latents import denormalise, to_bytes, unit_range
from vidrt.pipelines.upscaling import resized_frames, tone_mapped


def decode_latents(final: FinalLatents, decoder: VaeDecoder, settings: LtxSettings) -> list[ByteArray]:
    """Decodes videos one after the other.

    Returns:
        Frames (F, H, W, 3) for each video.
    """
    clean = decoder_latents(final, settings)
    with decoder.held():
        return [_as_bytes(decoder(item[None], final.timestep, final.maps), final)[0] for item in clean]


def decoder_latents(final: FinalLatents, settings: LtxSettings) -> FloatArray:
    """What the decoder takes: de-normalised, tone-mapped, with decoding noise where the VAE wants it."""
    if final.noise is None:
        return denormalise(_mapped(final.latents, final.tone_map), settings)
    scale = np.float32(final.noise_scale)
    if final.noise_before_denormalising:
        noised = final.latents * (1 - scale) + final.noise * scale
        return denormalise(_mapped(noised, final.tone_map), settings)
    return (1 - scale) * denormalise(final.latents, settings) + scale * final.noise


def _mapped(latents: FloatArray, compression: float) -> FloatArray:
    return tone_mapped(latents, compression) if compression else latents


def _as_bytes(frames: FloatArray, final: FinalLatents) -> ByteArray:
    return to_bytes(resized_frames(unit_range(frames), final.height, final.width))
