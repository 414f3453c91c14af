"""The table behind `--compat`, row by row."""

import pytest
from vidrt.pipelines.ltx_video.conventions import conventions
from vidrt_engines.names import Compat
from vidrt_engines.schedule import Sampler, Schedule
from vidrt_engines.settings import SchedulerSettings
from vidrt_engines.versions import LTX_SHIFT, NEGATIVE_PROMPT, VERSIONS, RopeTime, version_named

SHIFTED = SchedulerSettings(shift=LTX_SHIFT, terminal=0.1)
CLASSES = ("LTXPipeline", "LTXImageToVideoPipeline", "LTXConditionPipeline")


@pytest.fixture
def rules(make_settings):
    def settle(compat, version="0.9.5", **changes):
        return conventions(Compat(compat), make_settings(**changes), version_named(version))

    return settle


@pytest.mark.parametrize("pipeline_class", CLASSES)
@pytest.mark.parametrize("version", VERSIONS)
def test_official_conventions(rules, version, pipeline_class):
    """Officially the version decides, never the class that diffusers would use."""
    got = rules("official", version, pipeline_class=pipeline_class)
    assert (got.text_limit, got.pads_text, got.strips_prompt) == (256, False, True)
    assert got.negative_prompt == NEGATIVE_PROMPT
    assert got.noise_by_token
    assert got.noise_before_denormalising
    assert got.rope_time is (RopeTime.PLAIN if version in {"0.9.0", "0.9.1"} else RopeTime.CAUSAL)


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize(
    ("pipeline_class", "sampler", "limit", "pads", "time"),
    [
        ("LTXPipeline", Sampler.LINSPACE, 128, True, RopeTime.PLAIN),
        ("LTXImageToVideoPipeline", Sampler.LINSPACE, 128, True, RopeTime.PLAIN),
        ("LTXConditionPipeline", Sampler.LINEAR_QUADRATIC, 256, False, RopeTime.CAUSAL),
    ],
)
def test_diffusers_conventions(rules, version, pipeline_class, sampler, limit, pads, time):
    """With diffusers the class decides, whatever the version."""
    got = rules("diffusers", version, pipeline_class=pipeline_class)
    assert (got.schedule.sampler, got.text_limit, got.pads_text, got.rope_time) == (sampler, limit, pads, time)
    assert got.negative_prompt == ""
    assert not got.strips_prompt
    assert not got.noise_by_token
    assert not got.noise_before_denormalising


@pytest.mark.parametrize("version", VERSIONS)
def test_what_is_the_same_for_both(rules, version):
    """Decode timestep and noise, steps and guidance are the version's either way, but that diffusers has no STG."""
    official, diffusers = (rules(compat, version) for compat in Compat)
    assert official.guidance == version_named(version).guidance
    assert diffusers.guidance.scales == official.guidance.scales
    assert diffusers.guidance.blocks == official.guidance.blocks
    assert (diffusers.guidance.stg_scales, diffusers.guidance.cfg_star) == ((0.0,), False)
    for name in ("decode_timestep", "decode_noise_scale"):
        assert getattr(official, name) == getattr(diffusers, name) == getattr(version_named(version), name)
    assert official.schedule.steps == diffusers.schedule.steps == version_named(version).schedule.steps


@pytest.mark.parametrize("version", [name for name in VERSIONS if not version_named(name).schedule.sigmas])
def test_the_checkpoints_own_shift_wins(rules, version):
    """A checkpoint that says how it is shifted is sampled so, under any version."""
    got = rules("official", version, scheduler=SHIFTED).schedule
    assert (got.sampler, got.shift, got.terminal, got.static_shift) == (Sampler.LINSPACE, LTX_SHIFT, 0.1, 1.0)
    own = version_named(version).schedule
    assert (got.steps, got.skip_first, got.skip_last) == (own.steps, own.skip_first, own.skip_last)


@pytest.mark.parametrize("version", ["0.9.0", "0.9.5", "0.9.8-13b-dev"])
def test_a_checkpoint_without_a_dynamic_shift_has_none(rules, version):
    """A static shift and a stretch of the checkpoint's take the place of the version's; the form stays."""
    got = rules("official", version, scheduler=SchedulerSettings(static_shift=3.0, terminal=0.2)).schedule
    assert (got.shift, got.static_shift, got.terminal) == (None, 3.0, 0.2)
    assert got.sampler is version_named(version).schedule.sampler


@pytest.mark.parametrize("own", [SHIFTED, SchedulerSettings(), SchedulerSettings(static_shift=3.0, terminal=0.1)])
@pytest.mark.parametrize("version", [name for name in VERSIONS if version_named(name).schedule.sigmas])
def test_lists_are_never_shifted(rules, version, own):
    """A distilled version keeps its list to the letter, whatever scheduler its checkpoint was saved with."""
    assert rules("official", version, scheduler=own).schedule == version_named(version).schedule


@pytest.mark.parametrize("own", [SHIFTED, SchedulerSettings(static_shift=2.0, stochastic=True)])
def test_diffusers_takes_the_schedulers_configuration(rules, own):
    """With diffusers, scheduler_config.json is followed throughout, and no step is skipped."""
    got = rules("diffusers", "0.9.8-13b-dev", scheduler=own)
    assert got.schedule == Schedule(
        sampler=Sampler.LINSPACE, steps=30, shift=own.shift, static_shift=own.static_shift, terminal=own.terminal
    )
    assert got.stochastic is own.stochastic


@pytest.mark.parametrize("version", VERSIONS)
def test_only_the_distilled_096_is_stochastic(rules, version):
    """Officially the version says whether steps draw noise, and the checkpoint's scheduler does not."""
    own = SchedulerSettings(stochastic=version != "0.9.6-distilled")
    assert rules("official", version, scheduler=own).stochastic is (version == "0.9.6-distilled")
