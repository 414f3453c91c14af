"""The denoising of latents that conditions lie over, one step at a time."""

from typing import Any

import numpy as np

from vidrt.arrays import FloatArray
from vidrt.conditioning.rules import ConditionRules
from vidrt.conditioning.stepping import conditioned_step, is_noised, renoised, token_sigmas
from vidrt.noise.base import Generator
from vidrt.pipelines.ltx_video.denoising import TIMESTEP_SCALE, Denoiser


class ConditionedDenoiser(Denoiser):
    """Steps tokens of noise levels of their own; latents stay on the host between steps.

    Args:
        *args: as the plain one's; its start has a mask.
        condition_rules: whose.
        sigmas: the pass's noise levels, falling, 0 at the end.
        **kwargs: as the plain one's.
    """

    def __init__(self, *args: Any, condition_rules: ConditionRules, sigmas: FloatArray, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        assert self._start.mask is not None
        self._mask, self._sigmas, self._is_noised = self._start.mask, sigmas, is_noised(condition_rules)

    def begin(self) -> Any:
        """The latents (B, S, C) that the first step takes, on the host."""
        return self._start.latents

    def step(
        self, latents: Any, sigma: np.float32, following: np.float32, generators: tuple[Generator, Generator]
    ) -> Any:
        """Takes latents (B, S, C) to the following noise level, each token from its own; as the plain one's."""
        own, other = generators
        values = np.asarray(latents)
        if self._is_noised and self._start.clean is not None:
            values = renoised(values, self._start.clean, self._mask, sigma, own.normal(values.shape))
        velocity = np.asarray(self._known_or_computed(self._put(values), sigma, following))
        noise = other.normal(values.shape) if self._rules.stochastic else None
        return conditioned_step(values, velocity, self._mask, sigma, self._sigmas, noise)

    def _timestep(self, batch: int, sigma: np.float32) -> FloatArray:
        """(B, S): each token's own noise level."""
        return np.repeat(token_sigmas(self._mask, sigma)[None] * TIMESTEP_SCALE, batch, axis=0)
