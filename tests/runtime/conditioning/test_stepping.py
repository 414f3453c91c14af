"""Steps of conditioned tokens against diffusers' scheduler, which takes a timestep for each token."""

import diffusers
import numpy as np
import pytest
import torch
from vidrt.conditioning.rules import ConditionRules
from vidrt.conditioning.start import lerp
from vidrt.conditioning.stepping import conditioned_step, is_noised, renoised, token_sigmas
from vidrt.schedulers.flow_match_euler import euler_step, linear_quadratic, stochastic_step

SIGMAS = np.append(linear_quadratic(8), np.float32(0))
MASK = np.array([0, 0.3, 0.5, 0.7, 0.95, 1, 1 - float(SIGMAS[5]), 0], np.float32)
SHAPE = (2, len(MASK), 3)


@pytest.fixture
def values():
    """A function of a number: normal numbers (B, S, C)."""

    def draw(seed):
        return np.random.default_rng(seed).standard_normal(SHAPE, np.float32)

    return draw


@pytest.mark.parametrize("index", range(8))
@pytest.mark.parametrize("stochastic", [False, True])
def test_a_step_is_diffusers(values, index, stochastic, monkeypatch):
    """Every token goes from its own level to the next of the schedule below it."""
    scheduler = diffusers.FlowMatchEulerDiscreteScheduler(stochastic_sampling=stochastic)
    scheduler.set_timesteps(sigmas=SIGMAS[:-1])
    sigma, noise = SIGMAS[index], values(2)
    monkeypatch.setattr(  # its own draw
        "diffusers.schedulers.scheduling_flow_match_euler_discrete.randn_tensor",
        lambda *_, **__: torch.from_numpy(noise),
    )
    levels = torch.from_numpy(token_sigmas(MASK, sigma)) * 1000
    # its deterministic step wants the velocity's sign turned, as its pipeline turns it; its stochastic one does not
    velocity = torch.from_numpy(values(1) if stochastic else -values(1))
    latents = torch.from_numpy(values(0))
    (stepped,) = scheduler.step(
        velocity, scheduler.timesteps[index], latents, per_token_timesteps=levels[None], return_dict=False
    )
    goes = torch.from_numpy(sigma - np.float32(1e-6) < 1 - MASK)
    wanted = torch.where(goes[:, None], stepped, latents).numpy()
    got = conditioned_step(values(0), values(1), MASK, sigma, SIGMAS, noise if stochastic else None)
    assert np.abs(got - wanted).max() <= 1e-6
    assert np.array_equal(got[:, MASK == 1], values(0)[:, MASK == 1])


@pytest.mark.parametrize("index", range(8))
def test_a_token_without_a_condition_steps_as_any(values, index):
    """Where nothing conditions, a step is the plain one."""
    sigma, following, mask = SIGMAS[index], SIGMAS[index + 1], np.zeros(len(MASK), np.float32)
    got = conditioned_step(values(0), values(1), mask, sigma, SIGMAS)
    assert np.abs(got - euler_step(values(0), values(1), sigma, following)).max() <= 1e-6
    got = conditioned_step(values(0), values(1), mask, sigma, SIGMAS, values(2))
    assert np.abs(got - stochastic_step(values(0), values(1), sigma, following, values(2))).max() <= 1e-6


@pytest.mark.parametrize("sigma", SIGMAS[:-1])
def test_noise_on_fixed_tokens_is_diffusers(values, sigma):
    """Tokens of strength 1 are as they began, with noise of the level; all others stay."""
    pipeline = diffusers.LTXConditionPipeline
    source = torch.Generator().manual_seed(3)
    noise = torch.randn(SHAPE, generator=torch.Generator().manual_seed(3)).numpy()
    wanted = pipeline.add_noise_to_image_conditioning_latents(
        torch.tensor(sigma), torch.from_numpy(values(1)), torch.from_numpy(values(0)), 0.15,
        torch.from_numpy(MASK)[None].repeat(2, 1), source,
    )  # fmt: skip
    got = renoised(values(0), values(1), MASK, sigma, noise)
    assert np.abs(got - wanted.numpy()).max() <= 1e-7
    assert np.array_equal(got[:, MASK < 1], values(0)[:, MASK < 1])


def test_which_rules_add_noise():
    """Image-to-video of diffusers is the one that does not."""
    assert [is_noised(rules) for rules in ConditionRules] == [True, True, False]


@pytest.mark.parametrize("weight", [0, 0.1, 0.4999, 0.5, 0.7, 1])
def test_blending_is_torchs(values, weight):
    """From whichever end is nearer, to the last bit but one; all of the second is the second itself."""
    wanted = torch.lerp(torch.from_numpy(values(0)), torch.from_numpy(values(1)), weight).numpy()
    assert np.abs(lerp(values(0), values(1), weight) - wanted).max() <= 1.2e-7
    assert np.array_equal(lerp(values(0), values(1), 1.0), values(1))
