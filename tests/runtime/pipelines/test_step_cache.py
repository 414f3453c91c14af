"""The step cache: which steps are computed, what the others are guessed to be, and how the run measures it."""

from itertools import pairwise

import numpy as np
import pytest
import torch
from vidrt.pipelines.ltx_video.step_cache import StepCache
from vidrt_engines.guidance import Guidance

RULE = Guidance().at(1.0)
SIGMAS = np.linspace(1, 0, 11).astype(np.float32)
LINE = np.random.default_rng(0).normal(size=(2, 1, 6, 3)).astype(np.float32)
ALWAYS = np.inf


def straight(sigma):
    return LINE[0] + sigma * LINE[1]


def played(threshold, function, sigmas=SIGMAS, mask=None, rule_of=lambda _: RULE):
    """Every velocity of a pass, the noise levels of those that were computed, and the cache's own word."""
    cache, computed, given = StepCache(threshold, mask), [], []
    for sigma, following in pairwise(sigmas):

        def compute(sigma=sigma):
            computed.append(float(sigma))
            return function(sigma)

        given.append(cache.velocity(sigma, following, rule_of(sigma), compute))
    return given, computed, cache.done


def test_a_straight_line_is_guessed():
    """Whatever lies between, the first two steps and the last are computed, and the others are on the line."""
    given, computed, done = played(ALWAYS, straight, np.array([1, 0.9, 0.85, 0.8, 0.1, 0], np.float32))
    assert np.allclose(computed, [1, 0.9, 0.1])
    assert all(np.allclose(got, straight(s), atol=1e-6) for got, s in zip(given[:3], (1, 0.9, 0.85), strict=True))
    assert (done.steps, done.computed) == (5, 3)


def test_guesses_are_taylorseers():
    """A step beyond two that are as far apart, a guess is what diffusers' TaylorSeer of order 1 predicts."""
    from diffusers.hooks.taylorseer_cache import TaylorSeerState

    state = TaylorSeerState(taylor_factors_dtype=torch.float32, max_order=1)
    for step in range(2):
        state.current_step = step
        state.update((torch.from_numpy(straight(SIGMAS[step]) ** 2),))
    state.current_step = 2
    given, computed, _ = played(ALWAYS, lambda sigma: straight(sigma) ** 2)
    assert len(computed) == 3
    assert np.abs(given[2] - state.predict()[0].numpy()).max() < 1e-5


def test_a_guess_reaches_no_further_than_the_two_it_is_from_are_apart():
    """Far beyond, the guess stays what it was at that distance."""
    given, _, _ = played(ALWAYS, straight, SIGMAS)
    assert all(np.allclose(later, given[2], atol=1e-6) for later in given[3:-1])
    assert np.allclose(given[2], straight(SIGMAS[2]), atol=1e-6)


def test_a_threshold_that_nothing_is_under_computes_every_step():
    """To the bit what there is without a cache."""
    given, computed, done = played(1e-9, straight)
    assert all(np.array_equal(got, straight(s)) for got, s in zip(given, SIGMAS[:-1], strict=True))
    assert len(computed) == done.computed == done.steps == 10
    assert done.guess_error_mean is done.guess_error_max is None


def test_the_threshold_is_how_far_a_velocity_may_have_changed():
    """One that changes by a twentieth in each step is guessed once at 0.06, three times at 0.16."""
    growing = np.ones((1, 4, 2), np.float32)
    for threshold, guessed in ((0.06, 1), (0.11, 2), (0.16, 3)):
        levels = np.arange(20, -1, -1, dtype=np.float32)  # each change is 1 of 20 to 22
        _, computed, _ = played(threshold, lambda sigma: growing * (1 + (20 - sigma) / 19.5), levels)
        assert computed[:3] == [20, 19, 18 - guessed]


def test_the_video_that_changes_most_decides():
    """One of two videos that changes has both computed, as it would be alone; its fellow alone would be guessed."""
    scale = np.array([0, 3], np.float32)[:, None, None]
    rough = lambda sigma: np.ones((2, 6, 3), np.float32) + scale * np.sin(40 * sigma)  # noqa: E731
    alone = [played(0.2, lambda sigma, i=i: rough(sigma)[i : i + 1])[1] for i in range(2)]
    assert len(alone[0]) == 3
    assert played(0.2, rough)[1] == alone[1]
    assert len(alone[1]) > 5


def test_tokens_that_stay_do_not_count():
    """Where a condition of strength 1 holds a token, its velocity says nothing."""
    noise = np.random.default_rng(1)
    mask = np.array([1, 0, 0, 0.5, 0, 0], np.float32)

    def restless(sigma):
        values = straight(sigma)
        values[:, 0] = noise.normal(size=3)
        return values

    assert len(played(0.1, restless)[1]) == 10
    assert len(played(0.1, restless, mask=mask)[1]) < 10


def test_other_guidance_begins_anew():
    """Two steps are computed after each change of guidance, for a velocity guided otherwise says nothing."""
    guidance = Guidance(timesteps=(0.55, 0.0), scales=(1.0, 6.0))
    _, computed, _ = played(ALWAYS, straight, rule_of=lambda sigma: guidance.at(float(sigma)))
    assert np.allclose(computed, [1, 0.9, 0.5, 0.4, 0.1])


def test_the_error_is_measured_where_a_step_is_computed_again():
    """It is the relative L2 between the guess and what was computed, here from numbers that are known."""
    levels = np.array([4, 3, 2, 1, 0], np.float32)
    values = {4: 4.0, 3: 3.0, 2: 2.0, 1: 8.0}
    given, computed, done = played(ALWAYS, lambda sigma: np.full((1, 2, 2), values[int(sigma)], np.float32), levels)
    assert computed == [4, 3, 1]
    assert given[2].flat[0] == 2
    assert done.guess_error_mean == done.guess_error_max == pytest.approx((8 - 2) / 8)


def test_lost_values_are_no_reason_to_guess():
    """A velocity without numbers has every step computed, so that the run fails where it would have."""
    _, computed, _ = played(0.1, lambda _: np.full((1, 2, 2), np.nan, np.float32))
    assert len(computed) == 10
