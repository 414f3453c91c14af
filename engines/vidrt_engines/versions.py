"""The versions of LTX-Video as their official configurations run them.

Source: the `configs/*.yaml` of the official LTX-Video repository.
"""

from dataclasses import dataclass, field, replace
from enum import StrEnum

from vidrt_engines.guidance import Guidance
from vidrt_engines.schedule import Sampler, Schedule, Shift

NEGATIVE_PROMPT = "worst quality, inconsistent motion, blurry, jittery, distorted"


class RopeTime(StrEnum):
    """Which time a latent frame stands for in the rotary embedding: its start, or with the first frame alone."""

    PLAIN = "plain"
    CAUSAL = "causal"


@dataclass(frozen=True, kw_only=True)
class SecondPass:
    """What the official code does after a first, smaller run and the upscaler.

    Attributes:
        schedule: its sigmas; what is left out before the first of them is what the first pass did.
        guidance: how it is guided.
        tone_map_compression: how far large latents are brought back before they are decoded; 0 is not at all.
    """

    schedule: Schedule
    guidance: Guidance
    tone_map_compression: float = 0.0


@dataclass(frozen=True, kw_only=True)
class Version:
    """An official version's recipe.

    Attributes:
        layers: the depth of the transformer that the version was released with.
        schedule, guidance: how it is sampled.
        stochastic: each step draws fresh noise instead of following the velocity.
        rope_time: the rotary embedding's time.
        decode_timestep, decode_noise_scale: for VAEs that are conditioned on a timestep.
        second_pass: for versions that the official code runs twice, small and then upscaled.
        step_cache: how far a velocity may have changed, relative L2, and still be guessed by a run that asks for the
            step cache without a threshold, as benchmarks/step_cache.py found it; None where the steps are too few.
    """

    name: str
    layers: int
    schedule: Schedule
    guidance: Guidance = field(default_factory=Guidance)
    stochastic: bool = False
    rope_time: RopeTime = RopeTime.CAUSAL
    decode_timestep: float = 0.05
    decode_noise_scale: float = 0.025
    second_pass: SecondPass | None = None
    step_cache: float | None = None

    @property
    def passes(self) -> int:
        """How many passes the official code makes."""
        return 1 if self.second_pass is None else 2


# How large the first of two passes is, in each direction, before it is cut to whole latents.
FIRST_PASS_SCALE = 0.6666666

LTX_SHIFT = Shift(base=0.95, maximum=2.05, base_tokens=1024, max_tokens=4096)
_SHIFTED = Schedule(sampler=Sampler.LINSPACE, steps=40, shift=LTX_SHIFT, terminal=0.1)
_QUADRATIC = Schedule(sampler=Sampler.LINEAR_QUADRATIC, steps=40)
_DISTILLED = Schedule(sampler=Sampler.LIST, steps=7, sigmas=(1.0, 0.9937, 0.9875, 0.9812, 0.9750, 0.9094, 0.7250))
_DEV_13B = Schedule(sampler=Sampler.LINEAR_QUADRATIC, steps=30, skip_last=3)
_GUIDANCE_2B = Guidance(scales=(3.0,), stg_scales=(1.0,), rescaling_scales=(0.7,), blocks=((19,),))
_GUIDANCE_13B = Guidance(
    timesteps=(1.0, 0.996, 0.9933, 0.9850, 0.9767, 0.9008, 0.6180),
    scales=(1, 1, 6, 8, 6, 1, 1),
    stg_scales=(0, 0, 4, 4, 4, 2, 1),
    rescaling_scales=(1, 1, 0.5, 0.5, 1, 1, 1),
    blocks=((), (11, 25, 35, 39), (22, 35, 39), (28,), (28,), (28,), (28,)),
    cfg_star=True,
)
_DISTILLED_GUIDANCE = Guidance(blocks=((42,),))
_SECOND_DEV_13B = SecondPass(
    schedule=Schedule(sampler=Sampler.LINEAR_QUADRATIC, steps=30, skip_first=17),
    guidance=Guidance(timesteps=(1.0,), stg_scales=(1.0,), blocks=((27,),), cfg_star=True),
)
_SECOND_DISTILLED = SecondPass(
    schedule=Schedule(sampler=Sampler.LIST, steps=3, sigmas=(0.9094, 0.7250, 0.4219)), guidance=_DISTILLED_GUIDANCE
)
_SECOND_TONE_MAPPED = replace(_SECOND_DISTILLED, tone_map_compression=0.6)

_ALL = (
    Version(
        name="0.9.0", layers=28, schedule=_SHIFTED, guidance=_GUIDANCE_2B, rope_time=RopeTime.PLAIN, step_cache=0.15
    ),
    Version(
        name="0.9.1", layers=28, schedule=_SHIFTED, guidance=_GUIDANCE_2B, rope_time=RopeTime.PLAIN, step_cache=0.15
    ),
    Version(name="0.9.5", layers=28, schedule=_QUADRATIC, guidance=_GUIDANCE_2B, step_cache=0.1),
    Version(name="0.9.6-dev", layers=28, schedule=_QUADRATIC, guidance=_GUIDANCE_2B, step_cache=0.1),
    Version(
        name="0.9.6-distilled",
        layers=28,
        schedule=Schedule(sampler=Sampler.LINEAR_QUADRATIC, steps=8),
        stochastic=True,
    ),
    Version(
        name="0.9.7-dev",
        layers=48,
        schedule=_DEV_13B,
        guidance=_GUIDANCE_13B,
        second_pass=_SECOND_DEV_13B,
        step_cache=0.2,
    ),
    Version(
        name="0.9.7-distilled",
        layers=48,
        schedule=_DISTILLED,
        guidance=_DISTILLED_GUIDANCE,
        second_pass=_SECOND_DISTILLED,
    ),
    Version(
        name="0.9.8-2b-distilled",
        layers=28,
        schedule=_DISTILLED,
        guidance=_DISTILLED_GUIDANCE,
        second_pass=_SECOND_DISTILLED,
    ),
    Version(
        name="0.9.8-13b-dev",
        layers=48,
        schedule=_DEV_13B,
        guidance=_GUIDANCE_13B,
        second_pass=_SECOND_DEV_13B,
        step_cache=0.2,
    ),
    Version(
        name="0.9.8-13b-distilled",
        layers=48,
        schedule=_DISTILLED,
        guidance=_DISTILLED_GUIDANCE,
        second_pass=_SECOND_TONE_MAPPED,
    ),
)
VERSIONS: dict[str, Version] = {version.name: version for version in _ALL}


def version_named(name: str) -> Version:
    """Looks a version up.

    Raises:
        ValueError: an unknown one; the message lists those that are known.
    """
    if name not in VERSIONS:
        raise ValueError(f"'{name}' is no version of LTX-Video that is known here; known: {', '.join(VERSIONS)}.")
    return VERSIONS[name]
