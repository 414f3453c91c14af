"""The latents that a conditioned run begins with: noise, what conditions put over it, and what they put beside it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from vidrt_engines.settings import LtxSettings
from vidrt_engines.versions import RopeTime

from vidrt.arrays import FloatArray
from vidrt.conditioning.encode import EncodedClip, sampled
from vidrt.conditioning.item import PREFIX_FRAMES
from vidrt.conditioning.rules import ConditionRules
from vidrt.noise.base import Generator
from vidrt.pipelines.latents import LatentGrid, pack
from vidrt.pipelines.ltx_video.rope import token_coordinates

_HALF = 0.5


@dataclass(frozen=True, kw_only=True, eq=False)
class Start:
    """Where denoising begins.

    Attributes:
        latents: tokens (B, E+S, C), the E extra ones of conditions in front.
        coordinates: where each token lies: (E+S, 3) as seconds, rows and columns in pixels.
        mask: how strongly each token is conditioned, (E+S,), 0 where nothing conditions; None without conditions.
        clean: the latents as they were before the first step (B, E+S, C), to which noise on conditioned tokens is
            added at every step; None without conditions.
        extra: E, the tokens that are no part of the video and go before it is decoded.
    """

    latents: FloatArray
    coordinates: FloatArray
    mask: FloatArray | None = None
    clean: FloatArray | None = None
    extra: int = 0


@dataclass(frozen=True, kw_only=True)
class Place:
    """What positions depend on: the latents' grid, the frames in a second and the rotary embedding's time."""

    grid: LatentGrid
    fps: float
    rope_time: RopeTime


@dataclass(frozen=True, kw_only=True, eq=False)
class _Extra:
    tokens: FloatArray  # (B, e, C)
    coordinates: FloatArray  # (e, 3)
    strength: float


def plain_start(latents: FloatArray, place: Place) -> Start:
    """The start of a run without conditions, from latents (B, C, F, H, W)."""
    return Start(latents=pack(latents), coordinates=token_coordinates(place.grid, place.fps, place.rope_time))


def conditioned_start(
    draw: Callable[[], FloatArray], clips: Sequence[EncodedClip], place: Place, rules: ConditionRules,
    generators: tuple[Generator, Generator], settings: LtxSettings,
) -> Start:  # fmt: skip
    """Lays encoded conditions over the first latents, in the order of the code that is followed.

    Args:
        draw: draws the first latents (B, C, F, H, W) from the run's generator, or gives those that are ready made. It
            is called at its place in the order of draws.
        clips: the conditions, at least one.
        place: of the video.
        rules: whose.
        generators: the run's own, and the one that stands for torch's global generator.
        settings: the bundle's.
    """
    if rules is ConditionRules.IMAGE_TO_VIDEO:
        return _image_to_video(draw, clips[0], place, generators[0], settings)
    own, other = generators
    encoding = other if rules is ConditionRules.OFFICIAL else own
    latents = draw().copy()
    strengths = np.zeros(place.grid.frames, np.float32)
    extras = []
    for clip in clips:
        encoded = sampled(clip.moments, encoding, settings)
        beside = _lay_over(latents, strengths, encoded, clip, place.grid)
        if beside is not None:
            extras.append(_extra(beside, clip, place, own, len(latents)))
    return _joined(latents, strengths, extras, place)


def with_clean(start: Start) -> Start:
    """A start whose noise goes onto the latents as they are now."""
    return replace(start, clean=start.latents.copy())


def _lay_over(
    latents: FloatArray, strengths: FloatArray, encoded: FloatArray, clip: EncodedClip, grid: LatentGrid
) -> FloatArray | None:
    """Puts a condition into the video's latents, in place; what belongs beside them is given back."""
    frames = encoded.shape[2]
    if clip.frame == 0:
        _blend(latents, strengths, slice(0, frames), encoded, clip.strength)
        return None
    if frames > PREFIX_FRAMES:
        first = clip.frame // grid.temporal + PREFIX_FRAMES
        rest = slice(first, first + frames - PREFIX_FRAMES)
        _blend(latents, strengths, rest, encoded[:, :, PREFIX_FRAMES:], clip.strength)
    return encoded[:, :, :PREFIX_FRAMES]


def _blend(latents: FloatArray, strengths: FloatArray, frames: slice, encoded: FloatArray, strength: float) -> None:
    latents[:, :, frames] = lerp(latents[:, :, frames], encoded, strength)
    strengths[frames] = strength


def _extra(encoded: FloatArray, clip: EncodedClip, place: Place, generator: Generator, videos: int) -> _Extra:
    """Latent frames (1, C, f, H, W) as tokens of their own, noised by what the strength leaves open."""
    noise = generator.normal((videos, *encoded.shape[1:]))
    grid = replace(place.grid, frames=encoded.shape[2])
    coordinates = token_coordinates(grid, 1.0, place.rope_time)  # frames, not seconds, as long as fps is 1
    coordinates[:, 0] = (coordinates[:, 0] + np.float32(clip.frame)) * np.float32(1 / place.fps)
    return _Extra(tokens=pack(lerp(noise, encoded, clip.strength)), coordinates=coordinates, strength=clip.strength)


def _joined(latents: FloatArray, strengths: FloatArray, extras: Sequence[_Extra], place: Place) -> Start:
    video = plain_start(latents, place)
    each_frame = place.grid.rows * place.grid.columns
    masks = [np.full(extra.tokens.shape[1], extra.strength, np.float32) for extra in extras]
    return with_clean(
        Start(
            latents=np.concatenate([*(extra.tokens for extra in extras), video.latents], axis=1),
            coordinates=np.concatenate([*(extra.coordinates for extra in extras), video.coordinates]),
            mask=np.concatenate([*masks, np.repeat(strengths, each_frame)]),
            extra=sum(len(mask) for mask in masks),
        )
    )


def _image_to_video(
    draw: Callable[[], FloatArray], clip: EncodedClip, place: Place, generator: Generator, settings: LtxSettings
) -> Start:
    """The picture's latents in the place of the first frame's; they are drawn before the noise."""
    encoded = sampled(clip.moments, generator, settings)
    latents = draw().copy()
    latents[:, :, :1] = encoded
    strengths = np.zeros(place.grid.frames, np.float32)
    strengths[0] = 1
    return _joined(latents, strengths, (), place)


def lerp(first: FloatArray, second: FloatArray, weight: float) -> FloatArray:
    """From the first to the second by a weight in fp32, rounded as torch rounds it: from the nearer end."""
    share = np.float32(weight)
    if share < _HALF:
        return first + share * (second - first)
    return second - (second - first) * (np.float32(1) - share)
