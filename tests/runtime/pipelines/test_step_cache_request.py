"""The step cache that a request asks for, and the passes that take it."""

import re

import numpy as np
import pytest
from vidrt.errors import RequestError
from vidrt.pipelines.ltx_video.request import Request
from vidrt.pipelines.ltx_video.settling import settle
from vidrt.pipelines.ltx_video.step_cache_request import step_cache_remarks
from vidrt_engines.versions import VERSIONS


@pytest.fixture
def run(make_settings):
    def make(step_cache, version="0.9.5", **options):
        request = Request(prompt="", step_cache=step_cache, **options)
        return settle(request, make_settings(), version)

    return make


def thresholds(run):
    return [part.step_cache for part in run.passes]


@pytest.mark.parametrize("asked", ["off", "0", 0, 0.0], ids=repr)
def test_off_is_off(run, asked):
    """0 is no threshold: the run is the one without a step cache, and says nothing of it."""
    assert run(asked, seed=1) == run("off", seed=1)
    assert thresholds(run(asked)) == [None]
    assert list(step_cache_remarks(run(asked))) == []


@pytest.mark.parametrize("asked", ["0.25", 0.25, np.float64(0.25)], ids=repr)
def test_a_threshold_is_every_long_passs(run, asked):
    """As a number or as text; the two passes of 13B both have steps enough."""
    assert thresholds(run(asked)) == [0.25]
    assert thresholds(run(asked, "0.9.8-13b-dev")) == [0.25, 0.25]
    assert ["less than 0.25" in told for told in step_cache_remarks(run(asked))] == [True]


@pytest.mark.parametrize("version", VERSIONS)
def test_auto_is_the_versions(run, version):
    """Versions of many steps have a threshold; those of few have none, which is said."""
    got, is_distilled = run("auto", version), "distilled" in version
    assert set(thresholds(got)) == {VERSIONS[version].step_cache}
    assert (VERSIONS[version].step_cache is None) == is_distilled
    assert [("nothing to leave out" in told) for told in step_cache_remarks(got)] == [is_distilled]


def test_auto_leaves_short_passes_alone(run):
    """Nine steps are too few, ten are not."""
    assert thresholds(run("auto", num_inference_steps=9)) == [None]
    assert thresholds(run("auto", num_inference_steps=10)) == [VERSIONS["0.9.5"].step_cache]


@pytest.mark.parametrize("asked", ["", "on", "x", "nan", "inf", "-1", -0.1, float("nan"), None, True, [0.1]], ids=repr)
def test_what_is_no_threshold_is_refused(run, asked, sentence):
    """One sentence that says what would do."""
    with pytest.raises(RequestError, match=re.escape("should be auto, off or a threshold from 0 up, not ")) as error:
        run(asked)
    sentence(error)


@pytest.mark.parametrize(
    ("version", "options"),
    [
        ("0.9.5", {"num_inference_steps": 9}),
        ("0.9.6-distilled", {"num_inference_steps": 20}),  # each step draws fresh noise
        ("0.9.8-13b-distilled", {}),
    ],
)
def test_a_threshold_without_effect_is_refused(run, version, options, sentence):
    """Where no pass can leave a step out, a threshold that was asked for is not passed over in silence."""
    with pytest.raises(RequestError, match="needs a pass of 10 steps or more") as error:
        run(0.1, version, **options)
    assert version in sentence(error)
