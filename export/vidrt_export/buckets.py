"""Which videos an engine is built for: resolutions and frame counts, and the profiles that follow from them."""

import dataclasses
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from vidrt_engines.axes import axes_of, axis_sizes, first_pass_side
from vidrt_engines.components import Signature
from vidrt_engines.manifest import Settings
from vidrt_engines.names import Component
from vidrt_engines.profiles import Span
from vidrt_engines.svd_settings import SvdSettings
from vidrt_reference.checkpoint.errors import CheckpointError

T = TypeVar("T")

DEFAULT_RESOLUTION, DEFAULT_FRAMES = "256x384:512x768:704x1216", "9:97:161"
_SVD_RESOLUTION = "256x256:576x1024:1024x1024"
_DENOISERS = {Component.TRANSFORMER, Component.UNET}
ONE = Span(min=1, opt=1, max=1)
# The longest prompt of any convention; half of it is tuned for.
TEXT_TOKENS = Span(min=1, opt=128, max=256)


@dataclass(frozen=True, kw_only=True)
class Bucket:
    """A range of videos: sizes in pixels, frames, and how many at once."""

    height: Span
    width: Span
    frames: Span
    batch: Span = ONE


def read_buckets(resolutions: Sequence[str], frames: Sequence[str], batch: int, settings: Settings) -> list[Bucket]:
    """Reads `--resolution` and `--frames`: as many of one as of the other, or one for all.

    Args:
        resolutions: each HEIGHTxWIDTH, or MIN:OPT:MAX of them; empty for the default.
        frames: each a number, or MIN:OPT:MAX; empty for the default.
        batch: how many videos may go through the transformer at once.
        settings: what the sizes have to be divisible by.

    Raises:
        CheckpointError: what cannot be right.
    """
    resolution, count = _defaults(settings)
    sizes = [_resolution(text, settings) for text in resolutions or [resolution]]
    counts = [_frames(text, settings) for text in frames or [count]]
    if len(sizes) != len(counts) and 1 not in (len(sizes), len(counts)):
        raise CheckpointError(
            f"There are {len(sizes)} --resolution and {len(counts)} --frames: give as many of each, or one for all."
        )
    if batch < 1:
        raise CheckpointError(f"The batch should be 1 or more, not {batch}.")
    together = Span(min=1, opt=1, max=batch)
    number = max(len(sizes), len(counts))
    pairs = zip(_spread(sizes, number), _spread(counts, number), strict=True)
    return [Bucket(height=h, width=w, frames=f, batch=together) for (h, w), f in pairs]


def profile(bucket: Bucket, component: Component, signature: Signature, settings: Settings) -> dict[str, Span]:
    """The span of each named axis that goes into a component.

    Only what denoises takes several videos at once. LTX-Video's transformer takes a timestep for each token, and its
    encoder single pictures; Stable Video Diffusion's frames may be decoded in chunks.
    """
    ends = [
        axis_sizes(settings, height=height, width=width, num_frames=frames, text_tokens=text, batch=batch)
        for height, width, frames, text, batch in zip(
            *(_triple(span) for span in (bucket.height, bucket.width, bucket.frames, TEXT_TOKENS, bucket.batch)),
            strict=True,
        )
    ]
    spans = {axis: Span(min=ends[0][axis], opt=ends[1][axis], max=ends[2][axis]) for axis in sorted(axes_of(signature))}
    if "timestep_tokens" in spans:
        spans["timestep_tokens"] = Span(min=1, opt=1, max=spans["tokens"].max)
    if component not in _DENOISERS and "batch" in spans:
        spans["batch"] = ONE
    of_single_frames = Component.VAE_DECODER if isinstance(settings, SvdSettings) else Component.VAE_ENCODER
    if component is of_single_frames and "frames" in spans:
        spans["frames"] = dataclasses.replace(spans["frames"], min=1)
    return spans


def of_passes(bucket: Bucket, component: Component, unit: int) -> list[Bucket]:
    """What a component meets where videos are made in two passes: the transformer small ones first, then large ones.

    Large ones are those of the second pass and, for runs of a single pass, those that were asked for.

    Args:
        bucket: what was asked for.
        component: one of LTX-Video's.
        unit: pixels for each latent.
    """
    first = dataclasses.replace(bucket, height=_first(bucket.height, unit), width=_first(bucket.width, unit))
    second = dataclasses.replace(
        bucket, height=_second(first.height, bucket.height), width=_second(first.width, bucket.width)
    )
    by_component = {
        Component.TRANSFORMER: [first, second],
        Component.VAE_ENCODER: [first, second],
        Component.LATENT_UPSAMPLER: [first],
        Component.VAE_DECODER: [second],
    }
    return by_component.get(component, [bucket])


def _first(span: Span, unit: int) -> Span:
    low, middle, high = (max(first_pass_side(side, unit), unit) for side in _triple(span))
    return Span(min=low, opt=middle, max=high)


def _second(first: Span, asked: Span) -> Span:
    return Span(min=min(2 * first.min, asked.min), opt=2 * first.opt, max=max(2 * first.max, asked.max))


def options_of(buckets: Sequence[Bucket]) -> tuple[str, ...]:
    """The options of build-engines that ask for these buckets."""
    sizes: list[str] = []
    for bucket in buckets:
        sides = zip(_triple(bucket.height), _triple(bucket.width), strict=True)
        sizes += ["--resolution", _range(f"{height}x{width}" for height, width in sides)]
        sizes += ["--frames", _range(map(str, _triple(bucket.frames)))]
    batch = max((bucket.batch.max for bucket in buckets), default=1)
    return (*sizes, "--batch", str(batch)) if batch > 1 else tuple(sizes)


def _range(ends: Iterable[str]) -> str:
    low, middle, high = ends
    return low if low == high else f"{low}:{middle}:{high}"


def _defaults(settings: Settings) -> tuple[str, str]:
    """Stable Video Diffusion makes as many frames as it was trained to."""
    if isinstance(settings, SvdSettings):
        return _SVD_RESOLUTION, str(settings.defaults.num_frames)
    return DEFAULT_RESOLUTION, DEFAULT_FRAMES


def _spread(items: list[T], count: int) -> list[T]:
    return items * count if len(items) == 1 else items


def _resolution(text: str, settings: Settings) -> tuple[Span, Span]:
    pairs = [re.fullmatch(r"(\d+)x(\d+)", part.strip()) for part in text.split(":")]
    if not all(pairs) or len(pairs) not in (1, 3):
        raise CheckpointError(
            f"The resolution should be HEIGHTxWIDTH or three of them as MIN:OPT:MAX, for example "
            f"{DEFAULT_RESOLUTION}, not '{text}'."
        )
    height, width = (_span([int(pair[side]) for pair in pairs if pair], text) for side in (1, 2))
    step = settings.size_step
    if wrong := [side for span in (height, width) for side in _triple(span) if side % step or not side]:
        raise CheckpointError(f"The resolution should be divisible by {step}, and {wrong[0]} in '{text}' is not.")
    return height, width


def _frames(text: str, settings: Settings) -> Span:
    counts = [re.fullmatch(r"\d+", part.strip()) for part in text.split(":")]
    if not all(counts) or len(counts) not in (1, 3):
        raise CheckpointError(
            f"The frames should be a number or three as MIN:OPT:MAX, for example {DEFAULT_FRAMES}, not '{text}'."
        )
    span = _span([int(count[0]) for count in counts if count], text)
    step = settings.frame_step
    if wrong := [count for count in _triple(span) if count < 1 or (count - 1) % step]:
        raise CheckpointError(f"The frames should be {step}·n + 1, and {wrong[0]} in '{text}' is not.")
    return span


def _span(numbers: list[int], text: str) -> Span:
    low, middle, high = numbers if len(numbers) > 1 else numbers * 3
    if not low <= middle <= high:
        raise CheckpointError(f"'{text}' should rise from its minimum over its optimum to its maximum.")
    return Span(min=low, opt=middle, max=high)


def _triple(span: Span) -> tuple[int, int, int]:
    return span.min, span.opt, span.max
