"""Two passes with conditions against the official multi-scale pipeline: each pass lays them over its own latents.

The golden arrays were made by `scripts/golden_ltx_two_passes.py`, which runs the official code on the same weights; a
picture's blur and H.264, which `test_preprocess.py` looks at, are left out on both sides.
"""

import ltx_two_passes
import numpy as np
import pytest
from ltx_two_pass_pipeline import BOUND, check_frames, check_passes, far
from vidrt.conditioning import preprocess
from vidrt.conditioning.item import Condition

each_version = pytest.mark.parametrize("version", ltx_two_passes.CONDITIONS)


@pytest.fixture(autouse=True)
def sharp(monkeypatch):
    """Pictures are cut and resized alone."""
    for name in ("blurred", "compressed"):
        monkeypatch.setattr(preprocess, name, lambda image: image)


def recorded(version):
    return ltx_two_passes.recorded(version, "two_passes_conditioned")


@each_version
def test_both_passes_are_the_official_ones(pipeline_of, upscalings, version):
    """The first pass's latents, what lies between, every step of the second with its extra tokens, and the frames."""
    wanted, pipeline = recorded(version), pipeline_of(version)
    conditions = [
        Condition(media=ltx_two_passes.picture(item), frame=item.frame, strength=item.strength)
        for item in ltx_two_passes.CONDITIONS[version]
    ]
    last = check_passes(pipeline, version, wanted, conditions=conditions)
    assert far(upscalings[0][0], wanted["upscaled"]) <= BOUND
    (video,) = pipeline.decode(last)
    check_frames(video.frames, wanted["frames"])


@each_version
def test_conditions_count_in_both_passes(version):
    """Agreement is no accident: conditioned runs are far from plain ones, and their second pass has extra tokens."""
    conditioned, plain = recorded(version), ltx_two_passes.recorded(version)
    assert far(conditioned["first"], plain["first"]) > 0.01
    extra = conditioned["steps"].shape[1] - plain["steps"].shape[1]
    assert extra == np.prod(ltx_two_passes.SECOND[1:])
    assert far(conditioned["steps"][-1][extra:], plain["steps"][-1]) > 0.01
