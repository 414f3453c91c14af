"""Whether an engine was built for the sizes of a run, and what to say if not."""

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from vidrt_engines.manifest import Engine
from vidrt_engines.names import Component
from vidrt_engines.profiles import Profile, Span, fits, tightest
from vidrt_engines.tensors import TensorSpec

from vidrt.validity import rebuild

BATCH = "batch"
# what the command of a refusal has, where building helps
BUILDS = "--resolution"
_TEXT = "text_tokens"


@dataclasses.dataclass(frozen=True, kw_only=True)
class VideoSize:
    """The size of a video, for the command that builds engines for it.

    Attributes:
        height, width: in pixels.
        num_frames: of the video.
        extra_frames: for how many more its conditions take tokens.
    """

    height: int
    width: int
    num_frames: int
    extra_frames: int = 0

    @property
    def options(self) -> str:
        """The options of build-engines that ask for this size."""
        most = self.num_frames + self.extra_frames
        frames = f"{self.num_frames}:{self.num_frames}:{most}" if self.extra_frames else f"{most}"
        return f"{BUILDS} {self.height}x{self.width} --frames {frames}"


def axis_sizes(specs: Iterable[TensorSpec], shapes: Mapping[str, Sequence[int]]) -> dict[str, int]:
    """The sizes of the named axes, read off the shapes of tensors."""
    pairs = (pair for spec in specs for pair in zip(spec.axes, shapes[spec.name], strict=True))
    return {axis: size for axis, size in pairs if not axis.isdigit()}


def choose_profile(profiles: Sequence[Profile], sizes: Mapping[str, int]) -> int | None:
    """The number of the profile for a run of these sizes, or None; axes that no profile names are free."""
    return tightest(profiles, _named(profiles, sizes))


def batch_limit(profiles: Sequence[Profile], sizes: Mapping[str, int]) -> int | None:
    """How many items may go through at once at sizes that fit but for the batch, or None for any number."""
    others = {axis: size for axis, size in _named(profiles, sizes).items() if axis != BATCH}
    limits = [profile[BATCH].max for profile in profiles if BATCH in profile and fits(profile, others)]
    return max(limits, default=None)


def misfit(engine: Engine, sizes: Mapping[str, int]) -> str | None:
    """Says in a clause which sizes an engine was not built for, or None; a batch that can be split is no matter."""
    if not engine.profiles:
        return None
    wrong = min((_wrong(profile, sizes) for profile in engine.profiles), key=len)
    return (
        " and ".join(f"{axis} from {span.min} to {span.max}, not {sizes[axis]}" for axis, span in wrong.items()) or None
    )


def refusal(
    engine: Engine, component: Component, sizes: Mapping[str, int], folder: Path, video: VideoSize | None = None
) -> str | None:
    """Says in a sentence which sizes an engine was not built for and what to do, or None.

    Args:
        engine: as the manifest describes it.
        component: what it is.
        sizes: of the axes of its inputs, among others.
        folder: the bundle's.
        video: the size of the video, where it is known.
    """
    problem = misfit(engine, sizes)
    if problem is None:
        return None
    told = f"The {component.spoken} for {engine.backend} was built for {problem}"
    if problem.startswith(f"{_TEXT} ") and " and " not in problem:
        return f"{told}: give a shorter prompt."
    options = video.options if video else f"{BUILDS} MIN:OPT:MAX --frames MIN:OPT:MAX"
    return f"{told}; {rebuild(engine, component, folder)} {options}."


def _named(profiles: Sequence[Profile], sizes: Mapping[str, int]) -> dict[str, int]:
    named = set[str]().union(*profiles)
    return {axis: size for axis, size in sizes.items() if axis in named}


def _wrong(profile: Profile, sizes: Mapping[str, int]) -> dict[str, Span]:
    spans = {axis: profile[axis] for axis in sizes if axis in profile}
    wrong = {axis: span for axis, span in spans.items() if sizes[axis] not in span}
    if BATCH in wrong and sizes[BATCH] > wrong[BATCH].max:
        del wrong[BATCH]
    return wrong
