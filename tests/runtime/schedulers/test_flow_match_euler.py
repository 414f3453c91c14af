"""Sigmas and steps against diffusers' scheduler and its linear-quadratic schedule."""

import math

import numpy as np
import pytest
import torch
from diffusers import FlowMatchEulerDiscreteScheduler
from diffusers.pipelines.ltx.pipeline_ltx import calculate_shift
from diffusers.pipelines.ltx.pipeline_ltx_condition import linear_quadratic_schedule
from vidrt.schedulers.flow_match_euler import euler_step, linear_quadratic, schedule_sigmas, stochastic_step
from vidrt_engines.schedule import Sampler, Schedule
from vidrt_engines.versions import LTX_SHIFT, VERSIONS, version_named

BOUND = 1e-7  # absolute; sigmas are at most 1
LTX = {
    "use_dynamic_shifting": True,
    "base_shift": 0.95,
    "max_shift": 2.05,
    "base_image_seq_len": 1024,
    "max_image_seq_len": 4096,
}


def wanted(steps, tokens=None, *, start=None, **config):
    """What diffusers' scheduler makes of a linspace, as LTXPipeline asks it to."""
    scheduler = FlowMatchEulerDiscreteScheduler(**config)
    mu = None if tokens is None else calculate_shift(tokens, 1024, 4096, 0.95, 2.05)
    scheduler.set_timesteps(sigmas=np.linspace(1.0, 1 / steps, steps) if start is None else start, mu=mu)
    return scheduler.sigmas.numpy()


def assert_same(got, expected):
    assert got.dtype == np.float32
    assert got.shape == expected.shape
    assert np.isfinite(expected).all()
    assert np.abs(got.astype(np.float64) - expected).max() <= BOUND


@pytest.mark.parametrize("tokens", [1, 8, 30, 1024, 4096, 4992, 20_000])
@pytest.mark.parametrize("steps", [1, 2, 3, 7, 20, 40, 50])
def test_dynamic_shift(steps, tokens):
    """Shifted by LTX-Video's constants, the sigmas are diffusers'."""
    schedule = Schedule(sampler=Sampler.LINSPACE, steps=40, shift=LTX_SHIFT)
    assert_same(schedule_sigmas(schedule, steps, tokens), wanted(steps, tokens, **LTX))


@pytest.mark.parametrize("tokens", [8, 1024, 4992, 20_000])
@pytest.mark.parametrize("steps", [2, 3, 20, 40])
def test_dynamic_shift_and_stretch(steps, tokens):
    """Shifted and stretched as 0.9.0 is, the sigmas are diffusers', and the last is 0.1."""
    got = schedule_sigmas(version_named("0.9.0").schedule, steps, tokens)
    assert_same(got, wanted(steps, tokens, shift_terminal=0.1, **LTX))
    assert got[-2] == pytest.approx(0.1, abs=BOUND)


@pytest.mark.parametrize("terminal", [None, 0.1, 0.02])
@pytest.mark.parametrize("shift", [1.0, 3.0, 0.5, 17.0])
@pytest.mark.parametrize("steps", [2, 3, 40])
def test_static_shift(steps, shift, terminal):
    """A fixed shift, with or without a stretch, gives diffusers' sigmas."""
    schedule = Schedule(sampler=Sampler.LINSPACE, steps=1, static_shift=shift, terminal=terminal)
    assert_same(schedule_sigmas(schedule, steps, 999), wanted(steps, shift=shift, shift_terminal=terminal))


@pytest.mark.parametrize("shift", [LTX_SHIFT, None])
def test_one_step_has_nothing_to_stretch(shift):
    """One step goes from 1 to 0, where diffusers' stretch divides nought by nought and gives no number."""
    schedule = Schedule(sampler=Sampler.LINSPACE, steps=40, shift=shift, terminal=0.1)
    assert schedule_sigmas(schedule, 1, 4992).tolist() == [1, 0]


@pytest.mark.parametrize("steps", [1, 2, 3, 4, 5, 8, 20, 30, 40, 99])
def test_linear_quadratic(steps):
    """The schedule from 0.9.5 on is diffusers' own, odd and smallest step counts included."""
    assert_same(linear_quadratic(steps), linear_quadratic_schedule(steps).numpy())


@pytest.mark.parametrize("terminal", [None, 0.1])
@pytest.mark.parametrize("shift", [1.0, 2.0])
@pytest.mark.parametrize("steps", [2, 3, 8, 40])
def test_linear_quadratic_in_the_scheduler(steps, shift, terminal):
    """What the scheduler does with such a list when it shifts and stretches is done here too."""
    schedule = Schedule(sampler=Sampler.LINEAR_QUADRATIC, steps=8, static_shift=shift, terminal=terminal)
    start = linear_quadratic_schedule(steps).numpy()
    assert_same(schedule_sigmas(schedule, steps, 1), wanted(steps, start=start, shift=shift, shift_terminal=terminal))


def test_eight_linear_quadratic_steps_are_the_published_list():
    """Eight steps give the list that the distilled versions were made with, to its four digits."""
    published = [1, 0.9937, 0.9875, 0.9812, 0.975, 0.9094, 0.725, 0.4219]
    assert np.abs(linear_quadratic(8) - published).max() <= 5.1e-5
    assert schedule_sigmas(version_named("0.9.6-distilled").schedule, 8, 4992)[-1] == 0


def test_few_steps_by_hand():
    """The smallest step counts, worked out by hand."""
    plain = Schedule(sampler=Sampler.LINSPACE, steps=1)
    assert schedule_sigmas(plain, 1, 1).tolist() == [1, 0]
    assert schedule_sigmas(plain, 2, 1).tolist() == [1, 0.5, 0]
    assert schedule_sigmas(plain, 3, 1).tolist() == [1, np.float32(2 / 3), np.float32(1 / 3), 0]
    assert linear_quadratic(1).tolist() == [1]
    assert linear_quadratic(2).tolist() == [1, np.float32(0.975)]


@pytest.mark.parametrize("tokens", [1, 4992, 100_000])
@pytest.mark.parametrize("name", [name for name, version in VERSIONS.items() if version.schedule.sigmas])
def test_lists_are_taken_verbatim(name, tokens):
    """A list is not shifted, not stretched, whatever the size: its values to the bit, then 0."""
    schedule = version_named(name).schedule
    published = [1.0, 0.9937, 0.9875, 0.9812, 0.9750, 0.9094, 0.7250]
    assert schedule_sigmas(schedule, 7, tokens).tolist() == [*np.array(published, np.float32).tolist(), 0]


@pytest.mark.parametrize(("first", "last"), [(0, 3), (17, 0), (2, 5), (0, 0)])
@pytest.mark.parametrize("sampler", [Sampler.LINSPACE, Sampler.LINEAR_QUADRATIC])
def test_skipped_steps_are_cut_from_the_finished_list(sampler, first, last):
    """Skipping leaves the other sigmas as they were, after the stretch, and ends with 0 all the same."""
    whole = schedule_sigmas(Schedule(sampler=sampler, steps=30, terminal=0.1), 30, 10)
    cut = schedule_sigmas(Schedule(sampler=sampler, steps=30, terminal=0.1, skip_first=first, skip_last=last), 30, 10)
    assert cut.tolist() == [*whole[first : 30 - last].tolist(), 0]


@pytest.mark.parametrize("name", VERSIONS)
@pytest.mark.parametrize("tokens", [8, 4992])
def test_every_schedule_falls_from_one_to_nought(name, tokens):
    """Each version's sigmas begin with 1, fall strictly, and end with 0."""
    schedule = version_named(name).schedule
    sigmas = schedule_sigmas(schedule, schedule.steps, tokens)
    assert (sigmas[0], sigmas[-1], sigmas.dtype) == (1, 0, np.float32)
    assert (np.diff(sigmas) < 0).all()


def test_the_published_exponent_shifts_the_usual_size():
    """At 512x768 with 97 frames a sigma of a half becomes e^2.371 / (e^2.371 + 1)."""
    half = schedule_sigmas(Schedule(sampler=Sampler.LINSPACE, steps=2, shift=LTX_SHIFT), 2, 4992)[1]
    assert half == pytest.approx(math.exp(2.371) / (math.exp(2.371) + 1), abs=1e-4)


def arrays(count, shape=(2, 6, 8)):
    generator = torch.Generator().manual_seed(3)
    return [torch.randn(shape, generator=generator) for _ in range(count)]


@pytest.mark.parametrize("stochastic", [False, True])
def test_steps_are_the_schedulers(stochastic):
    """Every step of a run, plain or stochastic, is what `scheduler.step` gives from the same noise, to the bit."""
    scheduler = FlowMatchEulerDiscreteScheduler(stochastic_sampling=stochastic, shift_terminal=0.1, **LTX)
    scheduler.set_timesteps(sigmas=np.linspace(1.0, 1 / 5, 5), mu=1.3)
    latents, *velocities = arrays(6)
    ours, theirs, sigmas = latents.numpy(), latents, scheduler.sigmas.numpy()
    drawn, noise = torch.Generator().manual_seed(11), torch.Generator().manual_seed(11)
    for index, (timestep, velocity) in enumerate(zip(scheduler.timesteps, velocities, strict=True)):
        theirs = scheduler.step(velocity, timestep, theirs, generator=drawn).prev_sample
        pair = sigmas[index], sigmas[index + 1]
        if stochastic:
            fresh = torch.randn(latents.shape, generator=noise).numpy()
            ours = stochastic_step(ours, velocity.numpy(), *pair, fresh)
        else:
            ours = euler_step(ours, velocity.numpy(), *pair)
        assert ours.dtype == np.float32
        assert np.array_equal(ours, theirs.numpy())
    assert not np.allclose(ours, latents.numpy(), atol=0.1)


def test_steps_are_those_of_the_condition_pipeline():
    """LTXConditionPipeline hands the negated velocity and a timestep for each token; the step is the same."""
    scheduler = FlowMatchEulerDiscreteScheduler()
    scheduler.set_timesteps(timesteps=linear_quadratic_schedule(4) * 1000, sigmas=linear_quadratic_schedule(4))
    latents, *velocities = arrays(5)
    ours, theirs = latents.numpy(), latents
    sigmas = schedule_sigmas(Schedule(sampler=Sampler.LINEAR_QUADRATIC, steps=4), 4, 6)
    for index, (timestep, velocity) in enumerate(zip(scheduler.timesteps, velocities, strict=True)):
        each = timestep.expand(len(latents)).unsqueeze(-1)
        theirs = scheduler.step(-velocity, timestep, theirs, per_token_timesteps=each).prev_sample
        ours = euler_step(ours, velocity.numpy(), sigmas[index], sigmas[index + 1])
        assert np.abs(ours - theirs.numpy()).max() <= 1e-6


def test_a_step_leaves_its_arguments_alone():
    """A step is a pure function."""
    latents, velocity, noise = (array.numpy() for array in arrays(3))
    before = latents.copy(), velocity.copy(), noise.copy()
    euler_step(latents, velocity, np.float32(0.9), np.float32(0.5))
    stochastic_step(latents, velocity, np.float32(0.9), np.float32(0.5), noise)
    assert all(np.array_equal(a, b) for a, b in zip(before, (latents, velocity, noise), strict=True))
