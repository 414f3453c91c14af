"""Classifier-free guidance."""

import numpy as np
import pytest
from vidrt.pipelines.ltx_video.guidance import classifier_free


@pytest.fixture
def velocities():
    return np.random.default_rng(0).standard_normal((2, 2, 5, 4), np.float32)


def test_scale_one_is_the_conditional_and_nought_the_other(velocities):
    """A scale of 1 follows the prompt alone, a scale of 0 the negative prompt alone."""
    conditional, unconditional = velocities
    assert np.abs(classifier_free(conditional, unconditional, 1) - conditional).max() <= 1e-6
    assert np.array_equal(classifier_free(conditional, unconditional, 0), unconditional)


@pytest.mark.parametrize("scale", [1.5, 3, 8])
def test_guidance_is_that_of_diffusers(velocities, scale):
    """The order of operations is that of diffusers' LTXPipeline, in fp32, so that the result is its to the bit."""
    import torch

    conditional, unconditional = velocities
    text, no_text = torch.from_numpy(conditional), torch.from_numpy(unconditional)
    got = classifier_free(conditional, unconditional, scale)
    assert got.dtype == np.float32
    assert np.array_equal(got, (no_text + scale * (text - no_text)).numpy())
