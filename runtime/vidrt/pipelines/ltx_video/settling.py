"""From what a user asks of LTX-Video to a run with nothing left open, checked before any weight is read."""

import dataclasses
import math

from vidrt_engines.guidance import Guidance
from vidrt_engines.names import Compat
from vidrt_engines.schedule import Sampler
from vidrt_engines.settings import Defaults, LtxSettings
from vidrt_engines.versions import version_named

from vidrt.conditioning.item import Condition, SettledCondition, settle_conditions
from vidrt.conditioning.rules import condition_rules
from vidrt.errors import RequestError
from vidrt.pipelines.checks import compat_of, count, generator_of, or_default, seed_of, side
from vidrt.pipelines.ltx_video.conventions import Conventions, conventions
from vidrt.pipelines.ltx_video.guidance_request import asked_guidance
from vidrt.pipelines.ltx_video.passes import Pass, in_two
from vidrt.pipelines.ltx_video.request import Request, Run
from vidrt.pipelines.ltx_video.step_cache_request import asked_step_cache, with_step_cache


def settle(
    request: Request, settings: LtxSettings, model_version: str, *, has_embeddings: bool = False,
    can_upscale: bool = True,
) -> Run:  # fmt: skip
    """Checks a request and fills in what it leaves open.

    Args:
        request: as the user asks.
        settings: the bundle's.
        model_version: the bundle's.
        has_embeddings: embeddings are given, so that there are no prompts.
        can_upscale: the bundle has an upscaler; without one, versions of two passes are run in one.

    Raises:
        RequestError: what cannot be right, in one sentence.
    """
    compat = compat_of(request.compat)
    version = _version(request.ltxv_version or model_version, settings)
    rules = conventions(compat, settings, version_named(version))
    defaults = settings.defaults
    if has_embeddings:
        rules, defaults = _without_prompts(request, rules, defaults)
    rules = dataclasses.replace(rules, guidance=_guidance(request, rules.guidance))
    negative = request.negative_prompt if request.negative_prompt is not None else rules.negative_prompt
    whole = Pass(
        height=side("height", or_default(request.height, defaults.height), settings.spatial_compression),
        width=side("width", or_default(request.width, defaults.width), settings.spatial_compression),
        num_frames=_frames(request.num_frames, defaults.num_frames, settings.temporal_compression),
        steps=_steps(request.num_inference_steps, defaults.num_inference_steps, rules, version),
        schedule=rules.schedule,
        guidance=rules.guidance,
    )
    step_cache = asked_step_cache(request.step_cache)
    passes = _passes(request, whole, rules, settings.spatial_compression, version, can_upscale=can_upscale)
    return Run(
        prompt=_prompt(request.prompt if request.prompt is not None else defaults.prompt),
        negative_prompt=negative,
        height=whole.height,
        width=whole.width,
        num_frames=whole.num_frames,
        fps=_positive("fps", request.fps if request.fps is not None else defaults.fps),
        num_videos=count("number of videos", request.num_videos),
        num_inference_steps=whole.steps,
        seed=seed_of(request.seed),
        generator=generator_of(request.generator),
        ltxv_version=version,
        single_pass=request.single_pass,
        compat=compat,
        conventions=rules,
        passes=with_step_cache(passes, step_cache, version_named(version), stochastic=rules.stochastic),
        conditions=_conditions(request, whole, settings, compat),
        step_cache=step_cache,
    )


def _conditions(request: Request, whole: Pass, settings: LtxSettings, compat: Compat) -> tuple[SettledCondition, ...]:
    """The picture that the video begins with, and what else it should show."""
    first = () if request.image is None else (Condition(media=request.image),)
    rules = condition_rules(compat, settings.pipeline_class)
    asked = (*first, *request.conditions)
    return settle_conditions(asked, whole.num_frames, settings.temporal_compression, rules)


def _passes(
    request: Request, whole: Pass, rules: Conventions, unit: int, version: str, *, can_upscale: bool
) -> tuple[Pass, ...]:
    """One pass, or the version's two; `single_pass` leaves the second out, so that the first is a preview of it."""
    second = rules.second_pass
    if second is None:
        if request.single_pass:
            raise RequestError(f"LTX-Video {version} is run in a single pass as it is: leave single_pass out.")
        return (whole,)
    if not can_upscale and not request.single_pass:
        return (whole,)
    guided = dataclasses.replace(second, guidance=_guidance(request, second.guidance))
    first, last = in_two(whole, guided, unit)
    return (first,) if request.single_pass else (first, last)


def _version(name: str, settings: LtxSettings) -> str:
    try:
        version_named(name)
    except ValueError as error:
        raise RequestError(str(error)) from error
    if settings.versions and name not in settings.versions:
        raise RequestError(f"The bundle's files are those of {' or '.join(settings.versions)}, not of {name}.")
    return name


def _without_prompts(request: Request, rules: Conventions, defaults: Defaults) -> tuple[Conventions, Defaults]:
    """Where embeddings are given there are no prompts, neither asked for nor by default."""
    if request.prompt is not None or request.negative_prompt is not None:
        raise RequestError("Give prompts or embeddings, not both.")
    return dataclasses.replace(rules, negative_prompt=""), dataclasses.replace(defaults, prompt="")


def _prompt(prompt: str | None) -> str:
    if prompt is None:
        raise RequestError("A prompt is needed: this bundle has none of its own.")
    return prompt


def _frames(asked: int | None, default: int, unit: int) -> int:
    value = count("number of frames", or_default(asked, default))
    if (value - 1) % unit:
        below = (value - 1) // unit * unit + 1
        raise RequestError(
            f"The number of frames should be {unit}·n + 1, and {value} is not: take {below} or {below + unit}."
        )
    return value


def _steps(asked: int | None, default: int | None, rules: Conventions, version: str) -> int:
    schedule = rules.schedule
    if asked is None:
        return schedule.steps if default is None or schedule.sampler is Sampler.LIST else default
    if schedule.sampler is Sampler.LIST:
        sigmas = ", ".join(f"{sigma:g}" for sigma in schedule.sigmas)
        raise RequestError(f"LTX-Video {version} has a fixed list of sigmas ({sigmas}): leave the number of steps out.")
    least = schedule.skip_first + schedule.skip_last + 1
    steps = count("number of steps", asked)
    if steps < least:
        raise RequestError(
            f"LTX-Video {version} skips {least - 1} steps, so the number of steps should be {least} or more."
        )
    return steps


def _guidance(request: Request, own: Guidance) -> Guidance:
    return asked_guidance(
        own,
        scale=request.guidance_scale,
        stg_scale=request.stg_scale,
        rescaling_scale=request.rescaling_scale,
        stg_mode=request.stg_mode,
    )


def _positive(name: str, value: float) -> float:
    if not math.isfinite(value) or value <= 0:
        raise RequestError(f"{name} should be a number above 0, not {value}.")
    return float(value)
