"""From denoised latents to frames."""

from collections.abc import Callable, Iterator

import numpy as np
from vidrt_engines.settings import LtxSettings

from vidrt.arrays import ByteArray, FloatArray
from vidrt.components.vae_decoder import VaeDecoder
from vidrt.pipelines.decode_options import DecodeOptions
from vidrt.pipelines.latents import denormalise, to_bytes, unit_range
from vidrt.pipelines.ltx_video.final_latents import FinalLatents
from vidrt.pipelines.ltx_video.frame_decoder import FrameDecoder
from vidrt.pipelines.ltx_video.upscaling import resized_frames, tone_mapped

_DEFAULT = DecodeOptions()
_TOGETHER = 2  # frames that become bytes at once


def _silent(_: str) -> None:
    pass


def stream_latents(
    final: FinalLatents, decoder: VaeDecoder, settings: LtxSettings, options: DecodeOptions = _DEFAULT,
    note: Callable[[str], None] = _silent,
) -> Iterator[Iterator[ByteArray]]:  # fmt: skip
    """Decodes videos of which memory holds some frames at a time, by default one after the other.

    Args:
        final: what is left to decode.
        decoder: of the pipeline.
        settings: the bundle's.
        options: how much of them the decoder sees at once.
        note: told what happens when memory runs out.

    Yields:
        For each video its frames as they come, (some, H, W, 3); to be taken before the next video is.

    Raises:
        OutOfMemoryError: there is not enough memory even for the smallest tile.
    """
    clean = decoder_latents(final, settings)
    frames = FrameDecoder(decoder, settings, options, note)
    with decoder.held_for(clean.shape[2]):
        for batch in clean[:, None] if options.slicing else [clean]:
            parts = (_as_bytes(part, final) for part in frames.frames(batch, final.timestep, final.maps))
            yield from _by_video(parts, len(batch))


def _by_video(parts: Iterator[ByteArray], videos: int) -> Iterator[Iterator[ByteArray]]:
    """Parts of a batch (B, some, H, W, 3) by video; those of a single one as they come."""
    if videos == 1:
        yield (part[0] for part in parts)
        return
    kept = list(parts)
    for number in range(videos):
        yield (part[number] for part in kept)


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
    """Some frames after the other: what is computed on the way is three times as large as what comes."""
    parts = (frames[:, :, start : start + _TOGETHER] for start in range(0, frames.shape[2], _TOGETHER))
    made = [to_bytes(resized_frames(unit_range(part), final.height, final.width)) for part in parts]
    return made[0] if len(made) == 1 else np.concatenate(made, axis=1)
