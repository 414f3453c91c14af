"""Flow matching with Euler steps: the sigmas of a schedule and the step between two of them.

A step is a pure function and a schedule a table, so nothing carries state. Computed in fp32 in the order of
diffusers' FlowMatchEulerDiscreteScheduler and of the official RectifiedFlowScheduler, which agree.
"""

import math

import numpy as np
from vidrt_engines.schedule import Sampler, Schedule

from vidrt.arrays import FloatArray
from vidrt.cuda.arrays import Array

LINEAR_THRESHOLD = 0.025


def schedule_sigmas(schedule: Schedule, steps: int, tokens: int) -> FloatArray:
    """The sigmas of a run.

    Args:
        schedule: the form; explicit lists are taken verbatim.
        steps: how many steps the whole schedule has, before any is skipped.
        tokens: the latent tokens of a video, for the dynamic shift.

    Returns:
        (kept steps + 1,) fp32, falling, 0 at the end.
    """
    if schedule.sampler is Sampler.LIST:
        sigmas = np.array(schedule.sigmas, np.float32)
    else:
        sigmas = _stretch(_shift(_unshifted(schedule.sampler, steps), schedule, tokens), schedule.terminal)
    kept = sigmas[schedule.skip_first : len(sigmas) - schedule.skip_last]
    return np.append(kept, np.float32(0))


def euler_step(latents: Array, velocity: Array, sigma: np.float32, next_sigma: np.float32) -> Array:
    """One step along the velocity, from `sigma` to `next_sigma`; the arrays are of one shape."""
    return latents + (next_sigma - sigma) * velocity


def stochastic_step(latents: Array, velocity: Array, sigma: np.float32, next_sigma: np.float32, noise: Array) -> Array:
    """One step that predicts the clean latents and adds fresh noise of the next level."""
    clean = latents - sigma * velocity
    return (np.float32(1) - next_sigma) * clean + next_sigma * noise


def linear_quadratic(steps: int) -> FloatArray:
    """Half of the steps linear down from 1 by 0.025 in all, the rest a parabola down to 0 (exclusive)."""
    if steps < 2:  # noqa: PLR2004 - one step leaves nothing to divide
        return np.ones(1, np.float32)
    linear = steps // 2
    quadratic = steps - linear
    excess = linear - LINEAR_THRESHOLD * steps
    curvature = excess / (linear * quadratic**2)
    slope = LINEAR_THRESHOLD / linear - 2 * excess / quadratic**2
    rise = [i * LINEAR_THRESHOLD / linear for i in range(linear)]
    rise += [curvature * i**2 + slope * i + curvature * linear**2 for i in range(linear, steps)]
    return np.array([1.0 - x for x in rise], np.float32)


def _unshifted(sampler: Sampler, steps: int) -> FloatArray:
    if sampler is Sampler.LINEAR_QUADRATIC:
        return linear_quadratic(steps)
    return np.linspace(1.0, 1 / steps, steps).astype(np.float32)


def _shift(sigmas: FloatArray, schedule: Schedule, tokens: int) -> FloatArray:
    if schedule.shift is None:
        factor = np.float32(schedule.static_shift)
        return (factor * sigmas / (1 + (factor - 1) * sigmas)).astype(np.float32)
    exponential = np.float32(math.exp(schedule.shift.at(tokens)))
    return (exponential / (exponential + (1 / sigmas - 1))).astype(np.float32)


def _stretch(sigmas: FloatArray, terminal: float | None) -> FloatArray:
    """Moves the last sigma to `terminal`, keeping 1 where it is; a single sigma of 1 has nothing to stretch."""
    remaining = 1 - sigmas
    if not terminal or remaining[-1] == 0:
        return sigmas
    stretched: FloatArray = 1 - remaining / (remaining[-1] / np.float32(1 - terminal))
    return stretched
