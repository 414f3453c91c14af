"""The passes of a run: how often it denoises, at which size, along which noise levels."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from vidrt_engines.guidance import Guidance
from vidrt_engines.schedule import Schedule
from vidrt_engines.settings import LtxSettings
from vidrt_engines.versions import SecondPass

from vidrt.arrays import FloatArray
from vidrt.pipelines.latents import LatentGrid, latent_grid
from vidrt.pipelines.ltx_video.guidance import is_guided
from vidrt.pipelines.ltx_video.upscaling import first_pass_size
from vidrt.schedulers.flow_match_euler import schedule_sigmas

if TYPE_CHECKING:
    from vidrt.pipelines.ltx_video.request import Run

GROWTH = 2  # what the upscaler makes of a side


@dataclass(frozen=True, kw_only=True)
class Pass:
    """One denoising of a run.

    Attributes:
        height, width: in pixels.
        num_frames: of the video.
        steps: of the whole schedule, before any is skipped.
        schedule, guidance: how it is sampled.
        tone_map_compression: how far large latents are brought back before they are decoded; 0 is not at all.
        step_cache: how far a velocity may have changed and still be guessed; None computes every step.
    """

    height: int
    width: int
    num_frames: int
    steps: int
    schedule: Schedule
    guidance: Guidance
    tone_map_compression: float = 0.0
    step_cache: float | None = None

    @property
    def kept_steps(self) -> int:
        """The steps that are made: all but those that the schedule skips."""
        return self.steps - self.schedule.skip_first - self.schedule.skip_last

    def grid(self, settings: LtxSettings) -> LatentGrid:
        """The grid of the latents."""
        return latent_grid(settings, self.height, self.width, self.num_frames)

    def sigmas(self, settings: LtxSettings) -> FloatArray:
        """The noise levels, falling: (kept steps + 1,), 0 at the end."""
        return schedule_sigmas(self.schedule, self.steps, self.grid(settings).tokens)

    def is_guided(self, settings: LtxSettings) -> bool:
        """Whether any step looks at the negative prompt."""
        return any(is_guided(self.guidance.at(float(sigma))) for sigma in self.sigmas(settings)[:-1])


def in_two(whole: Pass, second: SecondPass, unit: int) -> tuple[Pass, Pass]:
    """The two passes that a version makes of a run: a smaller one, then one of twice its size.

    Args:
        whole: the run in one pass.
        second: the version's.
        unit: pixels for each latent.

    Raises:
        RequestError: nothing is left of a side.
    """
    height, width = first_pass_size(whole.height, whole.width, unit)
    first = Pass(
        height=height, width=width, num_frames=whole.num_frames, steps=whole.steps, schedule=whole.schedule,
        guidance=whole.guidance,
    )  # fmt: skip
    return first, Pass(
        height=GROWTH * height, width=GROWTH * width, num_frames=whole.num_frames, steps=second.schedule.steps,
        schedule=second.schedule, guidance=second.guidance, tone_map_compression=second.tone_map_compression,
    )  # fmt: skip


def pass_remarks(run: "Run") -> Iterator[str]:
    """What a user should know of a run's passes."""
    first, *others = run.passes
    size = f"{first.height}x{first.width}"
    if others:
        last = others[-1]
        yield f"Two passes: one at {size}, then one at {last.height}x{last.width}."
    elif run.single_pass:
        yield f"The first pass alone, at {size}: a preview."
    elif run.conventions.second_pass is not None:
        yield (
            f"The official code runs {run.ltxv_version} in two passes. The bundle has no latent upsampler, so this is "
            f"one pass at the whole size: build it with build-engines --upscaler to have both."
        )
