"""Steps of tokens that are conditioned: each has a noise level of its own.

A token of strength s holds 1 - s of noise at most. It waits until the run's level is down there, and goes on with the
others; one of strength 1 stays. Computed in fp32 in the order of the official RectifiedFlowScheduler and of
diffusers' FlowMatchEulerDiscreteScheduler with timesteps for each token, which agree.
"""

import numpy as np

from vidrt.arrays import FloatArray
from vidrt.conditioning.rules import ConditionRules

NOISE_SCALE = 0.15
_EPSILON = np.float32(1e-6)
_ONE = np.float32(1)


def token_sigmas(mask: FloatArray, sigma: np.float32) -> FloatArray:
    """The noise level of each token where the run's is `sigma`: (S,) for strengths (S,)."""
    levels: FloatArray = np.minimum(sigma, _ONE - mask)
    return levels


def is_noised(rules: ConditionRules) -> bool:
    """Whether tokens of strength 1 get some noise before each step, for the motion's sake."""
    return rules is not ConditionRules.IMAGE_TO_VIDEO


def renoised(
    latents: FloatArray, clean: FloatArray, mask: FloatArray, sigma: np.float32, noise: FloatArray
) -> FloatArray:
    """Puts noise of the run's level, squared and scaled by 0.15, on the tokens of strength 1.

    Args:
        latents: (B, S, C), as the step before left them.
        clean: (B, S, C), as the run began.
        mask: strengths (S,).
        sigma: the run's level.
        noise: standard normal (B, S, C); it is drawn for all tokens, whether any is of strength 1 or not.
    """
    fixed = mask > _ONE - _EPSILON
    return np.where(fixed[:, None], clean + np.float32(NOISE_SCALE) * noise * sigma**2, latents)


def conditioned_step(
    latents: FloatArray, velocity: FloatArray, mask: FloatArray, sigma: np.float32, sigmas: FloatArray,
    noise: FloatArray | None = None,
) -> FloatArray:  # fmt: skip
    """Takes the tokens whose level is reached to the level that follows theirs, and leaves the others.

    Args:
        latents: (B, S, C).
        velocity: likewise.
        mask: strengths (S,).
        sigma: the run's level.
        sigmas: the run's whole schedule, 0 at its end.
        noise: standard normal (B, S, C) for a stochastic step.
    """
    levels = token_sigmas(mask, sigma)
    lower = np.where(sigmas[:, None] < levels - _EPSILON, sigmas[:, None], np.float32(0)).max(axis=0)
    change = (levels - lower)[:, None]
    if noise is None:
        stepped = latents - change * velocity
    else:
        following = levels[:, None] - change
        stepped = (_ONE - following) * (latents - levels[:, None] * velocity) + following * noise
    return np.where((sigma - _EPSILON < _ONE - mask)[:, None], stepped, latents)
