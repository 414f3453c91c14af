"""The denoising of LTX-Video's latents, one step at a time."""

import numpy as np

from vidrt.arrays import FloatArray
from vidrt.components.transformer import Transformer
from vidrt.noise.base import Generator
from vidrt.pipelines.guidance import classifier_free
from vidrt.pipelines.latents import LatentGrid, pack
from vidrt.pipelines.prompts import Contexts
from vidrt.pipelines.request import Run
from vidrt.pipelines.rope import rope_tables, token_coordinates
from vidrt.schedulers.flow_match_euler import euler_step, stochastic_step

TIMESTEP_SCALE = np.float32(1000)


def first_noise(run: Run, grid: LatentGrid, channels: int, generator: Generator) -> FloatArray:
    """Draws the latents that a run begins with: tokens (B, S, C)."""
    if run.conventions.noise_by_token:
        return generator.normal((run.num_videos, grid.tokens, channels))
    return pack(generator.normal((run.num_videos, channels, grid.frames, grid.rows, grid.columns)))


class Denoiser:
    """Steps from one noise level to the next; what does not change between steps is made once."""

    def __init__(
        self, transformer: Transformer, run: Run, grid: LatentGrid, rope_width: int, contexts: Contexts
    ) -> None:
        self._transformer, self._rules = transformer, run.conventions
        self._rope = rope_tables(token_coordinates(grid, run.fps, run.conventions.rope_time), rope_width)
        self._positive = np.repeat(contexts.positive, run.num_videos, axis=0)
        self._negative = None if contexts.negative is None else np.repeat(contexts.negative, run.num_videos, axis=0)

    def step(self, latents: FloatArray, sigma: np.float32, following: np.float32, generator: Generator) -> FloatArray:
        """Takes latents (B, S, C) from one noise level to the following."""
        velocity = self.velocity(latents, sigma)
        if self._rules.stochastic:
            return stochastic_step(latents, velocity, sigma, following, generator.normal(latents.shape))
        return euler_step(latents, velocity, sigma, following)

    def velocity(self, latents: FloatArray, sigma: np.float32) -> FloatArray:
        """The velocity at a noise level: one evaluation, or two where guidance is on.

        Prompts of different lengths would need a mask in one batch; two evaluations need none.
        """
        timestep = np.full((len(latents), 1), sigma * TIMESTEP_SCALE, np.float32)
        conditional = self._transformer(latents, self._positive, timestep, *self._rope)
        scale = self._rules.guidance.at(float(sigma))
        if scale <= 1 or self._negative is None:
            return conditional
        unconditional = self._transformer(latents, self._negative, timestep, *self._rope)
        return classifier_free(conditional, unconditional, scale)
