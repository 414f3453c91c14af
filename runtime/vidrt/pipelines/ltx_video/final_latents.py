"""What is left to decode when denoising has ended: latents, and every number that decoding draws."""

import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from vidrt_engines.settings import LtxSettings

from vidrt.arrays import FloatArray
from vidrt.components.vae_decoder import VaeDecoder
from vidrt.errors import RequestError
from vidrt.noise.base import Generator
from vidrt.pipelines.latents import LatentGrid, unpack
from vidrt.pipelines.options import DenoisingStep

AXES = 5


@dataclass(frozen=True, kw_only=True, eq=False)
class FinalLatents:
    """Denoised latents of some videos, and how they become frames; nothing random is left.

    Attributes:
        latents: normalised, (B, C, F, H, W).
        noise: for a decoder that is conditioned on a timestep, of the latents' shape; else None.
        maps: the noise that the decoder injects, (rows, columns) each.
        timestep: that of the decoder, where it takes one.
        noise_scale: how much of the noise goes onto the latents.
        noise_before_denormalising: whether it goes onto normalised ones.
        tone_map: how far large latents are brought back; 0 is not at all.
        height, width: of the frames in the end.
        fps: frames a second.
        record: all that repeats the run.
    """

    latents: FloatArray
    noise: FloatArray | None = None
    maps: tuple[FloatArray, ...] = ()
    timestep: float | None = None
    noise_scale: float = 0.0
    noise_before_denormalising: bool = True
    tone_map: float = 0.0
    height: int
    width: int
    fps: float
    record: Mapping[str, object] = field(default_factory=dict)


def final_latents(
    step: DenoisingStep, decoder: VaeDecoder, settings: LtxSettings, record: Mapping[str, object]
) -> FinalLatents:
    """Draws what decoding a step takes; the run's own random streams stay as they are.

    Frames of a second pass are brought to the size that was asked for, those of a first one keep theirs.
    """
    run, part, rules = step.run, step.part, step.run.conventions
    own, other = copy.deepcopy(step.generators)
    latents = unpack(step.latents, step.grid)
    takes_noise = settings.timestep_conditioning
    noise = None
    if takes_noise:
        is_official = rules.noise_before_denormalising
        noise = _official_noise(other, latents.shape, step.grid) if is_official else own.normal(latents.shape)
    size = part if part is run.passes[0] else run
    return FinalLatents(
        latents=latents,
        noise=noise,
        maps=tuple(other.normal(shape) for shape in decoder.noise_shapes(*latents.shape[3:])),
        timestep=rules.decode_timestep if takes_noise else None,
        noise_scale=rules.decode_noise_scale,
        noise_before_denormalising=rules.noise_before_denormalising,
        tone_map=part.tone_map_compression,
        height=size.height,
        width=size.width,
        fps=run.fps,
        record=record,
    )


def _official_noise(generator: Generator, shape: Sequence[int], grid: LatentGrid) -> FloatArray:
    """Decoding noise as the official code draws it: like latents that are tokens in another order of axes."""
    videos, channels = shape[:2]
    return unpack(generator.strided((videos, grid.tokens, channels)), grid)


def check_final(final: FinalLatents, decoder: VaeDecoder, settings: LtxSettings) -> None:
    """Finds out whether latents are those of a bundle's kind.

    Raises:
        RequestError: what does not fit.
    """
    if final.latents.ndim != AXES or final.latents.shape[1] != settings.latent_channels:
        raise RequestError(
            f"The latents should have the shape (videos, {settings.latent_channels}, frames, rows, columns) for this "
            f"bundle, not {final.latents.shape}."
        )
    shapes = decoder.noise_shapes(*final.latents.shape[3:])
    wanted = (settings.timestep_conditioning, shapes)
    if (final.noise is not None, [values.shape for values in final.maps]) != wanted:
        raise RequestError("The latents are of another LTX-Video: the decoder of this bundle takes other noise.")
