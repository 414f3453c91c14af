"""Where conditioned runs begin, beyond what the official pipeline and diffusers show."""

import numpy as np
import pytest
from vidrt.conditioning.encode import EncodedClip, sampled
from vidrt.conditioning.rules import ConditionRules
from vidrt.conditioning.start import Place, conditioned_start, plain_start
from vidrt.noise.torch_cpu import TorchCpuGenerator
from vidrt.pipelines.latents import LatentGrid, denormalise, pack
from vidrt_engines.versions import RopeTime

GRID = LatentGrid(frames=5, rows=2, columns=3, temporal=8, spatial=32)
PLACE = Place(grid=GRID, fps=24.0, rope_time=RopeTime.CAUSAL)
CHANNELS, EACH = 2, GRID.rows * GRID.columns


@pytest.fixture
def settings(make_settings):
    """Settings with two latent channels."""
    return make_settings(latent_channels=CHANNELS)


@pytest.fixture
def clip():
    """A function of latent frames: an encoded clip whose distribution is narrow."""

    def make(frames, frame=0, strength=1.0):
        mean = np.random.default_rng(frames).standard_normal((1, CHANNELS, frames, GRID.rows, GRID.columns), np.float32)
        moments = np.concatenate([mean, np.full_like(mean, -100)], axis=1)
        return EncodedClip(moments=moments, frame=frame, strength=strength)

    return make


def begun(clips, settings, *, videos=1, rules=ConditionRules.OFFICIAL):
    """The start of so many videos, and the noise that it was drawn over."""
    generators, drawn = (TorchCpuGenerator(0), TorchCpuGenerator(0)), []

    def draw():
        drawn.append(generators[0].normal((videos, CHANNELS, GRID.frames, GRID.rows, GRID.columns)))
        return drawn[-1]

    return conditioned_start(draw, clips, PLACE, rules, generators, settings), drawn[0]


def test_nothing_is_conditioned_without_conditions(settings):
    """A plain start has the noise, its places, and neither mask nor extra tokens."""
    del settings
    noise = np.random.default_rng(0).standard_normal((2, CHANNELS, 5, 2, 3), np.float32)
    start = plain_start(noise, PLACE)
    assert np.array_equal(start.latents, pack(noise))
    assert start.coordinates.shape == (GRID.tokens, 3)
    assert (start.mask, start.clean, start.extra) == (None, None, 0)


def test_every_video_is_conditioned(settings, clip):
    """Several videos have the same conditions over noise of their own, beside the video, too."""
    start, noise = begun([clip(2), clip(1, frame=16, strength=0.5), clip(3, frame=8)], settings, videos=2)
    assert start.extra == (1 + 2) * EACH
    assert start.latents.shape == (2, start.extra + GRID.tokens, CHANNELS)
    assert start.latents.shape[1] == len(start.mask) == len(start.coordinates)
    fixed, half, free = (start.mask == value for value in (1, 0.5, 0))
    assert (fixed.sum(), half.sum(), free.sum()) == ((2 + 2 + 1) * EACH, EACH, 2 * EACH)
    one, other = start.latents
    assert np.array_equal(one[fixed], other[fixed])
    assert (one[half] != other[half]).all()
    assert np.array_equal(start.latents[:, free], pack(noise)[:, free[start.extra :]])


def test_given_latents_are_not_changed(settings, clip):
    """Latents that a caller gives are laid over in a copy."""
    given = np.zeros((1, CHANNELS, 5, 2, 3), np.float32)
    generators = TorchCpuGenerator(0), TorchCpuGenerator(1)
    for rules in ConditionRules:
        start = conditioned_start(lambda: given, [clip(1)], PLACE, rules, generators, settings)
        assert np.abs(start.latents).max() > 0
        assert not given.any()


@pytest.mark.parametrize("rules", ConditionRules)
def test_draws_come_in_the_codes_order(settings, clip, rules):
    """Image-to-video of diffusers encodes before it draws the first noise; the official code has a stream for each."""
    wide = EncodedClip(moments=clip(1).moments * 0, frame=0, strength=1.0)
    start, noise = begun([wide], settings)
    official = pack(noise)[0, EACH:]
    start, _ = begun([wide], settings, rules=rules)
    same = np.array_equal(start.latents[0, EACH:], official)
    assert same is (rules is not ConditionRules.IMAGE_TO_VIDEO)


def test_latents_are_drawn_from_their_distribution(settings):
    """The mean where the variance is nothing, and noise of the deviation around it, before latents are normalised."""
    mean = np.random.default_rng(0).standard_normal((1, CHANNELS, 50, 20, 20), np.float32)
    for log_variance, deviation in [(-100.0, 0.0), (2 * np.log(3.0), 3.0), (100.0, float(np.exp(10)))]:
        moments = np.concatenate([mean, np.full_like(mean, log_variance)], axis=1)
        drawn = denormalise(sampled(moments, TorchCpuGenerator(5), settings), settings) - mean
        noise = TorchCpuGenerator(5).normal(mean.shape)
        assert np.abs(drawn - deviation * noise).max() <= 1e-6 * max(deviation, 1) * 10
