"""The official versions of LTX-Video, row by row as the official configurations run them."""

import pytest
from vidrt_engines.guidance import Guidance, StepGuidance, StgMode
from vidrt_engines.schedule import Sampler
from vidrt_engines.versions import LTX_SHIFT, NEGATIVE_PROMPT, VERSIONS, RopeTime, version_named

LIST = (1.0, 0.9937, 0.9875, 0.9812, 0.9750, 0.9094, 0.7250)
SHIFTED, QUADRATIC = Sampler.LINSPACE, Sampler.LINEAR_QUADRATIC
BY_STEP = {
    "scales": (1, 1, 6, 8, 6, 1, 1),
    "stg_scales": (0, 0, 4, 4, 4, 2, 1),
    "rescaling_scales": (1, 1, 0.5, 0.5, 1, 1, 1),
    "blocks": ((), (11, 25, 35, 39), (22, 35, 39), (28,), (28,), (28,), (28,)),
}
ALIKE = {"scales": (3,), "stg_scales": (1,), "rescaling_scales": (0.7,), "blocks": ((19,),)}
NONE = {"scales": (1,), "stg_scales": (0,), "rescaling_scales": (1,)}
# name: layers, passes, sampler, steps, guidance, stochastic
TABLE = {
    "0.9.0": (28, 1, SHIFTED, 40, ALIKE, False),
    "0.9.1": (28, 1, SHIFTED, 40, ALIKE, False),
    "0.9.5": (28, 1, QUADRATIC, 40, ALIKE, False),
    "0.9.6-dev": (28, 1, QUADRATIC, 40, ALIKE, False),
    "0.9.6-distilled": (28, 1, QUADRATIC, 8, NONE, True),
    "0.9.7-dev": (48, 2, QUADRATIC, 30, BY_STEP, False),
    "0.9.7-distilled": (48, 2, Sampler.LIST, 7, NONE, False),
    "0.9.8-2b-distilled": (28, 2, Sampler.LIST, 7, NONE, False),
    "0.9.8-13b-dev": (48, 2, QUADRATIC, 30, BY_STEP, False),
    "0.9.8-13b-distilled": (48, 2, Sampler.LIST, 7, NONE, False),
}


def test_the_versions_are_the_official_ones():
    """No version more, none less, each under its own name, the oldest first."""
    assert list(VERSIONS) == list(TABLE)
    assert all(version.name == name for name, version in VERSIONS.items())


@pytest.mark.parametrize("name", TABLE)
def test_a_version_is_what_its_configuration_says(name):
    """Depth, passes, sampler, steps, guidance, STG and sampling are the official configuration's."""
    version = version_named(name)
    layers, passes, sampler, steps, guidance, stochastic = TABLE[name]
    assert (version.layers, version.passes, version.schedule.sampler) == (layers, passes, sampler)
    assert (version.schedule.steps, version.stochastic) == (steps, stochastic)
    assert {name: getattr(version.guidance, name) for name in guidance} == guidance
    assert version.guidance.cfg_star is (guidance is BY_STEP)
    assert version.guidance.stg_mode is StgMode.ATTENTION_VALUES
    assert (version.decode_timestep, version.decode_noise_scale) == (0.05, 0.025)


@pytest.mark.parametrize("name", TABLE)
def test_only_the_first_two_are_shifted_and_stretched(name):
    """0.9.0 and 0.9.1 shift, stretch to 0.1 and start time at the frame; all later ones do none of it."""
    version = version_named(name)
    if name in {"0.9.0", "0.9.1"}:
        assert (version.schedule.shift, version.schedule.terminal) == (LTX_SHIFT, 0.1)
        assert version.rope_time is RopeTime.PLAIN
    else:
        assert (version.schedule.shift, version.schedule.terminal) == (None, None)
        assert version.rope_time is RopeTime.CAUSAL
    assert version.schedule.static_shift == 1


@pytest.mark.parametrize("name", [name for name, row in TABLE.items() if row[2] is Sampler.LIST])
def test_lists_are_the_published_ones(name):
    """A distilled version has the list of its first pass, and as many steps as it has entries."""
    schedule = version_named(name).schedule
    assert schedule.sigmas == LIST
    assert schedule.steps == len(LIST)
    assert (schedule.skip_first, schedule.skip_last) == (0, 0)


@pytest.mark.parametrize("name", [name for name, row in TABLE.items() if row[1] == 2])
def test_the_second_pass_is_the_published_one(name):
    """Distilled versions end by a list without guidance; the others skip 17 of 30 steps and perturb block 27."""
    second = version_named(name).second_pass
    schedule, step = second.schedule, second.guidance.at(0.5)
    assert (step.scale, step.rescaling_scale) == (1, 1)
    if TABLE[name][4] is BY_STEP:
        assert (schedule.sampler, schedule.steps, schedule.skip_first, schedule.skip_last) == (QUADRATIC, 30, 17, 0)
        assert (step.stg_scale, step.blocks, second.guidance.cfg_star) == (1, (27,), True)
    else:
        assert (schedule.sampler, schedule.sigmas) == (Sampler.LIST, (0.9094, 0.7250, 0.4219))
        assert (schedule.steps, step.stg_scale, second.guidance.cfg_star) == (3, 0, False)
    assert second.tone_map_compression == (0.6 if name == "0.9.8-13b-distilled" else 0)


@pytest.mark.parametrize("name", TABLE)
def test_only_the_13b_dev_versions_skip_steps(name):
    """Their first pass leaves the last three of thirty steps to the second."""
    schedule = version_named(name).schedule
    assert (schedule.skip_first, schedule.skip_last) == (0, 3 if TABLE[name][4] is BY_STEP else 0)


@pytest.mark.parametrize(
    ("sigma", "scale"),
    [
        (1.0, 1), (0.999, 1), (0.996, 1), (0.9959, 6), (0.9933, 6), (0.9932, 8), (0.985, 8), (0.98, 6), (0.9767, 6),
        (0.95, 1), (0.9008, 1), (0.7, 1), (0.618, 1), (0.6, 1), (0.01, 1), (0.0, 1),
    ],
)  # fmt: skip
def test_guidance_by_timestep_is_that_of_the_first_at_or_below(sigma, scale):
    """A step takes the scale of the first guidance timestep at or below its sigma, and of the last below all."""
    assert version_named("0.9.8-13b-dev").guidance.at(sigma).scale == scale


def test_guidance_below_every_timestep_is_the_last():
    """The last entry also stands for what lies below it, whatever its scale."""
    guidance = Guidance(timesteps=(1.0, 0.5), scales=(2.0, 5.0))
    assert [guidance.at(sigma).scale for sigma in (1.0, 0.6, 0.5, 0.1)] == [2, 5, 5, 5]


def test_one_scale_holds_for_every_step():
    """Guidance without timesteps is the same at any sigma."""
    assert {Guidance(scales=(3.0,)).at(sigma).scale for sigma in (1.0, 0.5, 0.0)} == {3.0}
    assert Guidance().at(0.5) == StepGuidance(scale=1, stg_scale=0, rescaling_scale=1, blocks=())


@pytest.mark.parametrize("name", ["", "0.9", "0.9.50", "LTX", "0.9.8"])
def test_an_unknown_version_lists_those_that_are_known(name):
    """An unknown version is never taken for another."""
    with pytest.raises(ValueError, match=f"^'{name}' is no version of LTX-Video that is known here; known: ") as error:
        version_named(name)
    assert all(known in str(error.value) for known in TABLE)


def test_the_negative_prompt_is_the_official_one():
    """The words that the official code avoids where none are given."""
    assert NEGATIVE_PROMPT == "worst quality, inconsistent motion, blurry, jittery, distorted"
