"""Stable Video Diffusion's sampling: Karras' noise levels, and Euler steps with a network that predicts v.

A step is a pure function and a schedule a table, so nothing carries state. Computed in fp32 in the order of diffusers'
EulerDiscreteScheduler. Formulas: Karras et al., "Elucidating the Design Space of Diffusion-Based Generative Models",
equation 5 and algorithm 1.
"""

import math
from dataclasses import dataclass

import numpy as np

from vidrt.arrays import FloatArray
from vidrt.cuda.arrays import Array

RHO = 7.0
_ONE = np.float32(1)


@dataclass(frozen=True, kw_only=True, eq=False)
class KarrasTable:
    """The noise levels of a run.

    Attributes:
        sigmas: (steps + 1,) fp32, falling, 0 at the end.
        timesteps: (steps,) fp32, what the network is told of each level: a quarter of its logarithm.
    """

    sigmas: FloatArray
    timesteps: FloatArray

    @property
    def first_scale(self) -> np.float32:
        """By how much standard normal noise is multiplied to become the first latents."""
        return _spread(self.sigmas[0])


def karras_table(steps: int, sigma_min: float = 0.002, sigma_max: float = 700.0, rho: float = RHO) -> KarrasTable:
    """The noise levels of `steps` steps between two of them, evenly spaced in their rho-th root; one step has the top.

    Args:
        steps: from 1 up.
        sigma_min: of the checkpoint's scheduler_config.json.
        sigma_max: likewise.
        rho: how far the steps gather at the low end; diffusers knows 7 only.
    """
    ramp = np.linspace(0, 1, steps)
    top, bottom = sigma_max ** (1 / rho), sigma_min ** (1 / rho)
    sigmas = np.append((top + ramp * (bottom - top)) ** rho, 0).astype(np.float32)
    # through fp64: numpy's fp32 logarithm differs between processors, and is further from torch's
    logarithms = [np.float32(math.log(sigma)) for sigma in sigmas[:-1]]
    return KarrasTable(sigmas=sigmas, timesteps=np.float32(0.25) * np.array(logarithms, np.float32))


def scaled_input(latents: Array, sigma: np.float32) -> Array:
    """Latents at a noise level, brought to the size that the network takes; of any shape."""
    return _divided(latents, _spread(sigma))


def euler_step(latents: Array, velocity: Array, sigma: np.float32, next_sigma: np.float32) -> Array:
    """One step from `sigma`, above 0, to `next_sigma`; `velocity` is what the network said of the scaled latents."""
    variance = sigma * sigma + _ONE
    clean = velocity * np.float32(-sigma / _spread(sigma)) + _divided(latents, variance)
    slope = _divided(latents - clean, sigma)
    return latents + slope * (next_sigma - sigma)


def _spread(sigma: np.float32) -> np.float32:
    """The standard deviation of data of variance 1 with noise of this level, rounded once.

    torch's root is at times a unit in the last place off: on x86 it is that of Intel's library.
    """
    return np.float32(np.sqrt(sigma * sigma + _ONE))


def _divided(values: Array, number: np.float32) -> Array:
    """Divides as diffusers does on the host; values on a device know products only, an ulp from that."""
    if isinstance(values, np.ndarray):
        return values / number
    return values * np.float32(1 / float(number))
