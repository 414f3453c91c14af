"""From denoised latents to frames."""

from collections.abc import Iterator

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
    return [np.concatenate(list(parts)) for parts in stream_latents(final, decoder, settings)]


def stream_latents(final: FinalLatents, decoder: VaeDecoder, settings: LtxSettings) -> Iterator[Iterator[ByteArray]]:
    """Decodes videos one after the other, of which memory holds some frames at a time.

    Yields:
        For each video its frames as they come, (some, H, W, 3); to be taken before the next video is.
    """
    clean = decoder_latents(final, settings)
    with decoder.held():
        for item in clean:
            stream = decoder.stream(item[None], final.timestep, final.maps)
            yield (_as_bytes(frames, final)[0] for frames in stream)


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
