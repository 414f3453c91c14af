"""What a request may ask of guidance, and what a run says of it."""

import re

import pytest
from vidrt.errors import RequestError
from vidrt.pipelines.ltx_video.guidance_request import asked_guidance, guidance_remarks
from vidrt_engines.guidance import Guidance, StgMode
from vidrt_engines.versions import version_named

BY_STEP = version_named("0.9.8-13b-dev").guidance
NOTHING = {"scale": None, "stg_scale": None, "rescaling_scale": None, "stg_mode": "attention_values"}


def asked(own=BY_STEP, **options):
    return asked_guidance(own, **{**NOTHING, **options})


def test_what_is_not_asked_stays():
    """A request without guidance has the version's."""
    assert asked() == BY_STEP


def test_one_number_stands_for_all_timesteps():
    """Each of the three scales alone, the blocks and the others as they were."""
    got = asked(stg_scale=2)
    assert (got.stg_scales, got.scales, got.blocks) == ((2.0,), BY_STEP.scales, BY_STEP.blocks)
    assert asked(scale=0).scales == (0.0,)
    assert asked(rescaling_scale=0.5).rescaling_scales == (0.5,)
    assert asked(stg_mode="residual").stg_mode is StgMode.RESIDUAL


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"stg_scale": -1}, "The scale of spatio-temporal guidance should be a number from 0 up, not -1."),
        ({"stg_scale": float("nan")}, "not nan"),
        ({"rescaling_scale": float("inf")}, "The rescaling scale should be a number from 0 up, not inf."),
        ({"stg_mode": "all"}, "stg_mode should be one of attention_values, attention_skip"),
        ({"own": Guidance(), "stg_scale": 1}, "names no blocks for spatio-temporal guidance"),
    ],
)
def test_what_cannot_be_right(options, told):
    """One sentence, before anything is loaded."""
    with pytest.raises(RequestError, match=re.escape(told)):
        asked(**options)


@pytest.mark.parametrize(
    ("options", "layers", "told"),
    [
        ({}, 48, []),
        ({}, 0, ["older build without spatio-temporal guidance"]),
        ({"scale": 3}, 48, ["The guidance scale 3 replaces those of the version", "1, 1, 6, 8, 6, 1, 1."]),
        ({"stg_scale": 1}, 36, ["replaces those", "leaves out block 39: the transformer has 36."]),
        ({"stg_mode": "residual"}, 48, ["'residual' of spatio-temporal guidance changes nothing"]),
        ({"stg_scale": 0}, 0, ["replaces those"]),
    ],
)
def test_what_a_user_should_know(options, layers, told):
    """A list that is replaced, blocks that are not there, a mode without effect; of the version's own nothing."""
    remarks = " ".join(guidance_remarks(BY_STEP, asked(**options), layers))
    assert bool(remarks) == bool(told)
    assert all(part in remarks for part in told)
