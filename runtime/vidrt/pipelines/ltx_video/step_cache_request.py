"""The step cache that a request asks for, the passes that take it, and what a run says of it."""

import dataclasses
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from vidrt_engines.versions import Version

from vidrt.errors import RequestError
from vidrt.pipelines.checks import number_from
from vidrt.pipelines.ltx_video.passes import Pass

if TYPE_CHECKING:
    from vidrt.pipelines.ltx_video.request import Run

AUTO, OFF = "auto", "off"
LEAST_STEPS = 10  # in fewer the velocity changes too much from one to the next


def asked_step_cache(asked: object) -> str | float:
    """What was asked for: auto, off, or a threshold, which 0 is not; numbers may be text, as a command has them.

    Raises:
        RequestError: anything else.
    """
    if asked in (AUTO, OFF):
        return str(asked)
    try:
        threshold = number_from("step cache", float(asked) if isinstance(asked, str) else asked, 0)
    except (ValueError, RequestError) as error:
        raise RequestError(f"The step cache should be auto, off or a threshold from 0 up, not {asked}.") from error
    return threshold or OFF


def with_step_cache(
    passes: Sequence[Pass], asked: str | float, version: Version, *, stochastic: bool
) -> tuple[Pass, ...]:
    """The passes of a run, those of enough steps with the step cache that was asked for.

    Raises:
        RequestError: a threshold where no pass can use one.
    """
    if asked == OFF:
        return tuple(passes)
    threshold = version.step_cache if asked == AUTO else float(asked)
    can_use = [part.kept_steps >= LEAST_STEPS and not stochastic for part in passes]
    if asked != AUTO and not any(can_use):
        raise RequestError(
            f"The step cache needs a pass of {LEAST_STEPS} steps or more without fresh noise in each, and this run of "
            f"LTX-Video {version.name} has none: leave the step cache out."
        )
    return tuple(
        dataclasses.replace(part, step_cache=threshold) if does else part
        for part, does in zip(passes, can_use, strict=True)
    )


def step_cache_remarks(run: "Run") -> Iterator[str]:
    """What a user should know of a run's step cache."""
    thresholds = [part.step_cache for part in run.passes if part.step_cache]
    if thresholds:
        yield f"Step cache: velocities that have changed by less than {thresholds[0]:g} are guessed."
    elif run.step_cache != OFF:
        yield f"The step cache has nothing to leave out in this run of LTX-Video {run.ltxv_version}."
