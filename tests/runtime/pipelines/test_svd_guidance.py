"""Guidance that grows over the frames."""

import numpy as np
import pytest
import torch
from vidrt.pipelines.svd.guidance import frame_guidance, guidance_scales, is_guided


@pytest.mark.parametrize("ends", [(1.0, 3.0), (3.0, 1.5), (0.3, 9.1), (2.0, 2.0)], ids=str)
@pytest.mark.parametrize("frames", [1, 2, 14, 25, 33])
def test_scales_are_torchs_linspace(frames, ends):
    """Scales lie where torch's linspace has them, to its own rounding, which differs between processors."""
    got = guidance_scales(*ends, frames)
    assert got.dtype == np.float32
    assert got.shape == (frames,)
    assert np.abs(got - torch.linspace(*ends, frames).numpy()).max() <= 2.4e-7 * max(ends)
    assert got[0] == np.float32(ends[0])
    assert frames == 1 or got[-1] == np.float32(ends[1])


@pytest.mark.parametrize(("ends", "frames", "guided"), [
    ((1, 3), 14, True), ((1, 1), 14, False), ((0, 0.9), 14, False), ((3, 1), 14, True), ((1, 3), 1, False),
])  # fmt: skip
def test_guidance_is_on_where_a_frame_has_more_than_one(ends, frames, guided):
    """The unconditional half is only computed if some frame uses it."""
    assert is_guided(guidance_scales(*ends, frames)) is guided


def test_each_frame_has_its_scale():
    """The order of operations is diffusers', so that the result is its to the bit."""
    conditional, unconditional = np.random.default_rng(0).standard_normal((2, 2, 5, 4, 3, 6), np.float32)
    scales = guidance_scales(1, 3, 5)
    each = torch.from_numpy(scales).unsqueeze(0).repeat(2, 1)[..., None, None, None]
    with_picture, without = torch.from_numpy(conditional), torch.from_numpy(unconditional)
    got = frame_guidance(conditional, unconditional, scales)
    assert got.dtype == np.float32
    assert np.array_equal(got, (without + each * (with_picture - without)).numpy())
    assert np.abs(got[:, 0] - conditional[:, 0]).max() <= 1e-6
    assert not np.allclose(got[:, 4], conditional[:, 4], atol=0.1)
