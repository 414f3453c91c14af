"""What a run is asked for, checked before any weight is read."""

import dataclasses
import math
from dataclasses import dataclass

from vidrt_engines.guidance import Guidance, StgMode
from vidrt_engines.names import Compat
from vidrt_engines.schedule import Sampler
from vidrt_engines.settings import Defaults, LtxSettings
from vidrt_engines.versions import version_named

from vidrt.arrays import FloatArray
from vidrt.errors import RequestError
from vidrt.noise.choice import CPU
from vidrt.pipelines.checks import compat_of, count, generator_of, or_default, seed_of, side
from vidrt.pipelines.conventions import Conventions, conventions
from vidrt.pipelines.guidance_request import asked_guidance


@dataclass(frozen=True, kw_only=True)
class Request:
    """A run as the user asks for it; None means the default of the bundle or of the model version."""

    prompt: str | None = None
    negative_prompt: str | None = None
    height: int | None = None
    width: int | None = None
    num_frames: int | None = None
    fps: float | None = None
    num_videos: int = 1
    num_inference_steps: int | None = None
    guidance_scale: float | None = None
    stg_scale: float | None = None
    rescaling_scale: float | None = None
    stg_mode: StgMode | str = StgMode.ATTENTION_VALUES
    seed: int | None = None
    generator: str = CPU
    ltxv_version: str | None = None
    compat: Compat | str = Compat.OFFICIAL


@dataclass(frozen=True, kw_only=True)
class PromptEmbeddings:
    """Embeddings given instead of prompts: each (1, L, D), without padding; the negative one only for guidance."""

    positive: FloatArray
    negative: FloatArray | None = None


@dataclass(frozen=True, kw_only=True)
class Run:
    """A request with nothing left open."""

    prompt: str
    negative_prompt: str
    height: int
    width: int
    num_frames: int
    fps: float
    num_videos: int
    num_inference_steps: int
    seed: int
    generator: str
    ltxv_version: str
    compat: Compat
    conventions: Conventions

    @property
    def kept_steps(self) -> int:
        """The steps that are made: all but those that the schedule skips."""
        return self.num_inference_steps - self.conventions.schedule.skip_first - self.conventions.schedule.skip_last


def settle(request: Request, settings: LtxSettings, model_version: str, *, has_embeddings: bool = False) -> Run:
    """Checks a request and fills in what it leaves open.

    Raises:
        RequestError: what cannot be right, in one sentence.
    """
    compat = compat_of(request.compat)
    version = _version(request.ltxv_version or model_version, settings)
    rules = conventions(compat, settings, version_named(version))
    defaults = settings.defaults
    if has_embeddings:
        rules, defaults = _without_prompts(request, rules, defaults)
    steps = _steps(request.num_inference_steps, defaults.num_inference_steps, rules, version)
    negative = request.negative_prompt if request.negative_prompt is not None else rules.negative_prompt
    return Run(
        prompt=_prompt(request.prompt if request.prompt is not None else defaults.prompt),
        negative_prompt=negative,
        height=side("height", or_default(request.height, defaults.height), settings.spatial_compression),
        width=side("width", or_default(request.width, defaults.width), settings.spatial_compression),
        num_frames=_frames(request.num_frames, defaults.num_frames, settings.temporal_compression),
        fps=_positive("fps", request.fps if request.fps is not None else defaults.fps),
        num_videos=count("number of videos", request.num_videos),
        num_inference_steps=steps,
        seed=seed_of(request.seed),
        generator=generator_of(request.generator),
        ltxv_version=version,
        compat=compat,
        conventions=dataclasses.replace(rules, guidance=_guidance(request, rules)),
    )


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


def _guidance(request: Request, rules: Conventions) -> Guidance:
    return asked_guidance(
        rules.guidance,
        scale=request.guidance_scale,
        stg_scale=request.stg_scale,
        rescaling_scale=request.rescaling_scale,
        stg_mode=request.stg_mode,
    )


def _positive(name: str, value: float) -> float:
    if not math.isfinite(value) or value <= 0:
        raise RequestError(f"{name} should be a number above 0, not {value}.")
    return float(value)
