"""Noise levels and steps of Stable Video Diffusion against diffusers' scheduler."""

import itertools

import numpy as np
import pytest
import torch
from diffusers import EulerDiscreteScheduler
from host_cuda import HostCuda
from svd_stubs import SCHEDULER
from vidrt.cuda.arrays import DeviceArray
from vidrt.cuda.device import CudaDevice
from vidrt.schedulers.euler_karras import euler_step, karras_table, scaled_input

STEPS = [1, 2, 3, 7, 25, 30, 50, 100]


def oracle(steps, **changes):
    scheduler = EulerDiscreteScheduler(**{**SCHEDULER, **changes})
    scheduler.set_timesteps(steps)
    return scheduler


def draw(seed, shape=(2, 3, 4, 6, 5)):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("bounds", [(0.002, 700.0), (0.03, 14.6), (0.5, 500)], ids=str)
@pytest.mark.parametrize("steps", STEPS)
def test_the_table_is_diffusers(steps, bounds):
    """Noise levels are diffusers' to the bit, the timesteps to a unit in the last place."""
    scheduler = oracle(steps, sigma_min=bounds[0], sigma_max=bounds[1])
    table = karras_table(steps, *bounds)
    assert table.sigmas.dtype == table.timesteps.dtype == np.float32
    assert table.sigmas.tolist() == scheduler.sigmas.tolist()
    np.testing.assert_array_max_ulp(table.timesteps, scheduler.timesteps.numpy(), maxulp=1)
    np.testing.assert_array_max_ulp(table.first_scale, scheduler.init_noise_sigma.numpy(), maxulp=1)


def test_the_table_by_hand():
    """Two steps have the ends, one step has the top alone; the first latents have a spread of 700."""
    assert karras_table(2).sigmas.tolist() == [700, np.float32(0.002), 0]
    assert karras_table(1).sigmas.tolist() == [700, 0]
    assert karras_table(1).timesteps[0] == pytest.approx(0.25 * np.log(700), abs=1e-6)
    assert karras_table(25).first_scale == pytest.approx(700.000714, abs=1e-4)
    assert karras_table(3).sigmas[1] == pytest.approx(((700 ** (1 / 7) + 0.002 ** (1 / 7)) / 2) ** 7, rel=1e-6)


@pytest.mark.parametrize("steps", [1, 2, 25, 50])
def test_each_step_is_diffusers(steps):
    """Inputs and steps are the scheduler's to the bit wherever torch's root is rounded rightly, else next to it."""
    scheduler, table = oracle(steps), karras_table(steps)
    theirs, exact = draw(0) * scheduler.init_noise_sigma, 0
    for index, timestep in enumerate(scheduler.timesteps):
        sigma, next_sigma = table.sigmas[index : index + 2]
        scaled, velocity = scaled_input(theirs.numpy(), sigma), draw(index + 1)
        ours = euler_step(theirs.numpy(), velocity.numpy(), sigma, next_sigma)
        pairs = [(scaled, scheduler.scale_model_input(theirs, timestep))]
        root = (scheduler.sigmas[index] ** 2 + 1) ** 0.5
        pairs += [(ours, theirs := scheduler.step(velocity, timestep, theirs).prev_sample)]
        is_exact = root.numpy() == np.sqrt(sigma * sigma + np.float32(1))
        exact += is_exact
        for got, expected in pairs:
            assert got.dtype == np.float32
            assert np.abs(got - expected.numpy()).max() <= (0 if is_exact else 2.5e-7 * expected.abs().max())
    assert exact > steps / 2


@pytest.mark.parametrize("steps", [1, 2, 25, 50])
def test_a_whole_run_is_diffusers(steps):
    """From the same noise through the same velocities the last latents are the scheduler's."""
    scheduler, table = oracle(steps), karras_table(steps)
    theirs, ours = draw(0) * scheduler.init_noise_sigma, draw(0).numpy() * table.first_scale
    for index, timestep in enumerate(scheduler.timesteps):
        velocity = draw(index + 1)
        scheduler.scale_model_input(theirs, timestep)
        theirs = scheduler.step(velocity, timestep, theirs).prev_sample
        ours = euler_step(ours, velocity.numpy(), *table.sigmas[index : index + 2])
    assert np.linalg.norm(ours - theirs.numpy()) <= 1e-6 * np.linalg.norm(theirs.numpy())


def test_a_perfect_network_leaves_the_clean_latents():
    """With the v of known latents and noise every step stays on the way to the latents, and the last reaches them."""
    clean, noise, sigmas = draw(1).numpy(), draw(2).numpy(), karras_table(25).sigmas
    latents = clean + sigmas[0] * noise
    for sigma, next_sigma in itertools.pairwise(sigmas):
        velocity = (noise - sigma * clean) / np.sqrt(sigma * sigma + 1)
        latents = euler_step(latents, velocity, sigma, next_sigma)
        assert np.abs(latents - (clean + next_sigma * noise)).max() <= 1e-5 * max(next_sigma, 20)
    assert np.abs(latents - clean).max() <= 2e-4


@pytest.mark.parametrize("index", [0, 12, 23, 24])
def test_on_a_device_a_step_is_the_hosts(index):
    """Arrays that know products alone stay on their device, and come within three units in the last place."""
    sigma, next_sigma = karras_table(25).sigmas[index : index + 2]
    latents, velocity = draw(1).numpy() * sigma, draw(2).numpy()
    cuda = HostCuda()
    with CudaDevice(cuda) as device:
        there = device.put(latents), device.put(velocity)
        got = scaled_input(there[0], sigma), euler_step(*there, sigma, next_sigma)
        assert all(isinstance(values, DeviceArray) for values in got)
        scaled, stepped = map(np.asarray, got)
    assert np.abs(scaled - scaled_input(latents, sigma)).max() <= 4e-7 * np.abs(scaled).max()
    assert np.abs(stepped - euler_step(latents, velocity, sigma, next_sigma)).max() <= 4e-7 * np.abs(latents).max()


def test_a_step_leaves_its_arguments_alone():
    """A step is a pure function."""
    latents, velocity = draw(1).numpy(), draw(2).numpy()
    scaled_input(latents, np.float32(3))
    euler_step(latents, velocity, np.float32(3), np.float32(2))
    assert np.array_equal(latents, draw(1).numpy())
    assert np.array_equal(velocity, draw(2).numpy())
