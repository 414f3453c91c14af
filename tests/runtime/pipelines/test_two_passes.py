"""Two passes against the official multi-scale pipeline: what each hands to the next, every step, and the frames.

The golden arrays were made by `scripts/golden_ltx_two_passes.py`, which runs the official code on the same weights.
"""

import ltx_two_passes
import numpy as np
import pytest
from ltx_two_pass_pipeline import BOUND, RUN, check_frames, check_passes, far, steps_of

# which play as 0.9.8's versions do, but for the tone mapping of one
MARKS = {"0.9.7-dev": pytest.mark.slow, "0.9.7-distilled": pytest.mark.slow}


@pytest.mark.parametrize("version", [pytest.param(name, marks=MARKS.get(name, ())) for name in ltx_two_passes.VERSIONS])
def test_both_passes_are_the_official_ones(pipeline_of, upscalings, version):
    """The first pass's latents, what the second makes of them step by step, and the frames of the size asked for."""
    wanted, pipeline = ltx_two_passes.recorded(version), pipeline_of(version)
    last = check_passes(pipeline, version, wanted)
    assert far(upscalings[0][0], wanted["upscaled"]) <= BOUND
    (video,) = pipeline.decode(last)
    check_frames(video.frames, (wanted["frames"] * 255).round())


def test_versions_differ_where_the_official_ones_do():
    """Tone mapping alone tells 0.9.8-13b-distilled from 0.9.7-distilled, and in frames alone."""
    mapped, plain = (ltx_two_passes.recorded(version) for version in ("0.9.8-13b-distilled", "0.9.7-distilled"))
    assert np.array_equal(mapped["steps"], plain["steps"])
    assert np.abs(mapped["frames"] - plain["frames"]).max() > 2 / 255


def test_a_single_pass_ends_after_the_first(pipeline_of):
    """Asked for a single pass, the run is the first of the two, at its size, and takes no upsampler."""
    pipeline = pipeline_of("0.9.8-2b-distilled")
    del pipeline.components["latent_upsampler"]
    steps = list(pipeline.denoise(**RUN, single_pass=True))
    assert len(steps) == steps_of("0.9.8-2b-distilled")[0]
    wanted = ltx_two_passes.recorded("0.9.8-2b-distilled")["first"]
    assert far(steps[-1].latents[0].T.reshape(wanted.shape), wanted) <= BOUND


def test_each_pass_has_its_own_step_cache(pipeline_of):
    """Both passes leave steps out, count their own, and begin with no velocity of the other's."""
    steps = list(pipeline_of("0.9.8-13b-dev").denoise(**RUN, step_cache=100.0))
    first, second = steps_of("0.9.8-13b-dev")
    assert [part.steps for part in steps[-1].cached] == [first, second]
    assert steps[first].cached[0] == steps[first - 1].cached[0]
    assert all(2 < part.computed < part.steps for part in steps[-1].cached)
