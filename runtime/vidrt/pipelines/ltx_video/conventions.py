"""Where the official code and diffusers differ, and which way a run goes: the table behind `--compat`."""

import dataclasses
from dataclasses import dataclass

from vidrt_engines.guidance import Guidance
from vidrt_engines.names import Compat
from vidrt_engines.schedule import Sampler, Schedule
from vidrt_engines.settings import LtxSettings
from vidrt_engines.versions import NEGATIVE_PROMPT, RopeTime, SecondPass, Version

CONDITION_PIPELINE = "LTXConditionPipeline"


@dataclass(frozen=True, kw_only=True)
class Conventions:
    """How a run is made.

    Attributes:
        schedule, guidance, stochastic: the sampling.
        second_pass: what follows at twice the size, for versions of two passes; diffusers' pipelines make one.
        rope_time: the rotary embedding's time.
        text_limit: how many tokens of a prompt are kept.
        pads_text: the text encoder sees the padding up to the limit, as it does where it is given no mask.
        strips_prompt: white space around a prompt is cut off.
        negative_prompt: where none is asked for.
        noise_by_token: the first latents are drawn as (B, tokens, C), not as (B, C, F, H, W).
        noise_before_denormalising: decoding noise goes onto normalised latents and comes from the run's second
            generator, the one that stands for torch's global one; else onto de-normalised ones and from the first.
        decode_timestep, decode_noise_scale: for VAEs conditioned on a timestep.
    """

    schedule: Schedule
    guidance: Guidance
    stochastic: bool
    second_pass: SecondPass | None = None
    rope_time: RopeTime
    text_limit: int
    pads_text: bool
    strips_prompt: bool
    negative_prompt: str
    noise_by_token: bool
    noise_before_denormalising: bool
    decode_timestep: float
    decode_noise_scale: float


def conventions(compat: Compat, settings: LtxSettings, version: Version) -> Conventions:
    """Settles how a checkpoint of a version is run."""
    return _official(settings, version) if compat is Compat.OFFICIAL else _diffusers(settings, version)


def _official(settings: LtxSettings, version: Version) -> Conventions:
    return Conventions(
        schedule=_with_own_scheduler(version.schedule, settings),
        guidance=version.guidance,
        stochastic=version.stochastic,
        second_pass=_with_own_second(version.second_pass, settings),
        rope_time=version.rope_time,
        text_limit=256,
        pads_text=False,
        strips_prompt=True,
        negative_prompt=NEGATIVE_PROMPT,
        noise_by_token=True,
        noise_before_denormalising=True,
        decode_timestep=version.decode_timestep,
        decode_noise_scale=version.decode_noise_scale,
    )


def _diffusers(settings: LtxSettings, version: Version) -> Conventions:
    is_condition = settings.pipeline_class == CONDITION_PIPELINE
    own = settings.scheduler
    schedule = Schedule(
        sampler=Sampler.LINEAR_QUADRATIC if is_condition else Sampler.LINSPACE,
        steps=version.schedule.steps,
        shift=own.shift,
        static_shift=own.static_shift,
        terminal=own.terminal,
    )
    return Conventions(
        schedule=schedule,
        guidance=_classifier_free_alone(version.guidance),
        stochastic=own.stochastic,
        rope_time=RopeTime.CAUSAL if is_condition else RopeTime.PLAIN,
        text_limit=256 if is_condition else 128,
        pads_text=not is_condition,
        strips_prompt=False,
        negative_prompt="",
        noise_by_token=False,
        noise_before_denormalising=False,
        decode_timestep=version.decode_timestep,
        decode_noise_scale=version.decode_noise_scale,
    )


def _with_own_scheduler(schedule: Schedule, settings: LtxSettings) -> Schedule:
    """The version's schedule, or the checkpoint's own where its configuration says one; lists stay verbatim."""
    own = settings.scheduler
    if schedule.sampler is Sampler.LIST:
        return schedule
    return dataclasses.replace(
        schedule,
        sampler=own.sampler or (schedule.sampler if own.shift is None else Sampler.LINSPACE),
        shift=own.shift,
        static_shift=own.static_shift if own.shift is None else 1.0,
        terminal=own.terminal,
    )


def _with_own_second(second: SecondPass | None, settings: LtxSettings) -> SecondPass | None:
    return second and dataclasses.replace(second, schedule=_with_own_scheduler(second.schedule, settings))


def _classifier_free_alone(guidance: Guidance) -> Guidance:
    """The pipelines of diffusers have no spatio-temporal guidance; the blocks stay for those who ask for it."""
    return dataclasses.replace(guidance, stg_scales=(0.0,), rescaling_scales=(1.0,), cfg_star=False)
