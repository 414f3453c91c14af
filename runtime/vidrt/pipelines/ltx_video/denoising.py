"""The denoising of LTX-Video's latents, one step at a time."""

from collections.abc import Callable
from typing import Any

import numpy as np
from vidrt_engines.guidance import PERTURBATIONS, Guidance

from vidrt.arrays import FloatArray
from vidrt.components.transformer import Transformer
from vidrt.conditioning.start import Start
from vidrt.cuda.arrays import Array, concatenated
from vidrt.noise.base import Generator
from vidrt.pipelines.latents import LatentGrid, pack
from vidrt.pipelines.ltx_video.conventions import Conventions
from vidrt.pipelines.ltx_video.guidance import (
    classifier_free,
    is_guided,
    nearest,
    perturbation,
    rescaled,
    spatio_temporal,
    stg_scale,
)
from vidrt.pipelines.ltx_video.prompts import Contexts
from vidrt.pipelines.ltx_video.request import Run
from vidrt.pipelines.ltx_video.rope import rope_tables
from vidrt.pipelines.ltx_video.step_cache import StepCache
from vidrt.schedulers.flow_match_euler import euler_step, stochastic_step

TIMESTEP_SCALE = np.float32(1000)


def first_noise(run: Run, grid: LatentGrid, channels: int, generator: Generator) -> FloatArray:
    """Draws the latents that a run begins with: tokens (B, S, C)."""
    if run.conventions.noise_by_token:
        return generator.normal((run.num_videos, grid.tokens, channels))
    return pack(generator.normal((run.num_videos, channels, grid.frames, grid.rows, grid.columns)))


def _as_it_is(values: FloatArray) -> Any:
    return values


class Denoiser:
    """Steps from one noise level to the next; what does not change between steps is made once.

    Args:
        transformer: the model.
        rules: how the run is made.
        guidance: of this pass.
        start: where it begins.
        rope_width: the width of the rotary embedding.
        contexts: the embeddings of the prompts.
        put: brings values to where the transformer computes; latents come from there and stay there.
        cache: guesses velocities; None computes each.
    """

    def __init__(
        self, transformer: Transformer, rules: Conventions, guidance: Guidance, start: Start, rope_width: int,
        contexts: Contexts, put: Callable[[FloatArray], Any] = _as_it_is, cache: StepCache | None = None,
    ) -> None:  # fmt: skip
        self._transformer, self._rules, self._guidance, self._put = transformer, rules, guidance, put
        self._start, self._cache = start, cache
        self._cos, self._sin = (put(table) for table in rope_tables(start.coordinates, rope_width))
        self._tables: dict[tuple[tuple[int, ...], bytes], Any] = {}
        given = [values for values in (contexts.positive, contexts.negative) if values is not None]
        self._positive, *others = [put(np.repeat(values, len(start.latents), axis=0)) for values in given]
        self._negative = others[0] if others else None

    def begin(self) -> Any:
        """The latents (B, S, C) that the first step takes, where the transformer computes."""
        return self._put(self._start.latents)

    def step(
        self, latents: Array, sigma: np.float32, following: np.float32, generators: tuple[Generator, Generator]
    ) -> Array:
        """Takes latents (B, S, C) from one noise level to the following.

        Args:
            latents: as the step before gave them.
            sigma: their noise level.
            following: the one to take them to.
            generators: the run's own, and the one that stands for torch's global generator.
        """
        velocity = self._known_or_computed(latents, sigma, following)
        if self._rules.stochastic:
            noise: Array = self._put(generators[1].normal(latents.shape))
            return stochastic_step(latents, velocity, sigma, following, noise)
        return euler_step(latents, velocity, sigma, following)

    def _known_or_computed(self, latents: Array, sigma: np.float32, following: np.float32) -> Array:
        """The velocity of a step, which a step cache may guess."""
        if self._cache is None:
            return self.velocity(latents, sigma)
        rule = self._guidance.at(float(sigma))
        return self._cache.velocity(sigma, following, rule, lambda: self.velocity(latents, sigma))

    def velocity(self, latents: Array, sigma: np.float32) -> Array:
        """The velocity at a noise level, from as many evaluations as its guidance takes: one, two or three.

        Those of the prompt are one batch. The negative prompt's is a call of its own: of another length it would need
        a mask.
        """
        rule = self._guidance.at(float(sigma))
        stg = stg_scale(rule, self._transformer.layers)
        table = perturbation(rule, self._guidance.stg_mode, self._transformer.layers)
        conditional, perturbed = self._with_prompt(latents, sigma, table)
        velocity = conditional
        if is_guided(rule) and self._negative is not None:
            unconditional = self._evaluated(latents, self._negative, sigma)
            if self._guidance.cfg_star:
                unconditional = self._put(nearest(np.asarray(unconditional), np.asarray(conditional)))
            velocity = classifier_free(conditional, unconditional, rule.scale)
        if stg and perturbed is not None:
            velocity = spatio_temporal(velocity, conditional, perturbed, stg)
        if stg and rule.rescaling_scale != 1:
            velocity = self._put(rescaled(np.asarray(velocity), np.asarray(conditional), rule.rescaling_scale))
        return velocity

    def _with_prompt(self, latents: Array, sigma: np.float32, table: FloatArray | None) -> tuple[Array, Array | None]:
        """The prompt's velocity and that of the perturbed model, if any."""
        if table is None:
            return self._evaluated(latents, self._positive, sigma), None
        videos = len(latents)
        both = np.repeat(np.concatenate([np.zeros_like(table), table]), videos, axis=0)
        twice: Any = concatenated([latents, latents])
        context: Any = concatenated([self._positive, self._positive])
        velocity = self._evaluated(twice, context, sigma, both)
        return velocity[:videos], velocity[videos:]

    def _placed(self, table: FloatArray | None, latents: Array) -> Any:
        """What is perturbed, brought once to where the transformer computes; nothing for an engine that takes none."""
        layers = self._transformer.layers
        if not layers:
            return None
        values = np.zeros((len(latents), layers, len(PERTURBATIONS)), np.float32) if table is None else table
        key = (values.shape, values.tobytes())
        if key not in self._tables:
            self._tables[key] = self._put(values)
        return self._tables[key]

    def _evaluated(self, latents: Array, context: Any, sigma: np.float32, table: FloatArray | None = None) -> Array:
        velocity: Array = self._transformer(
            latents, context, self._timestep(len(latents), sigma), self._cos, self._sin, self._placed(table, latents)
        )
        return velocity

    def _timestep(self, batch: int, sigma: np.float32) -> FloatArray:
        """(B, 1): all tokens are at one noise level."""
        return np.full((batch, 1), sigma * TIMESTEP_SCALE, np.float32)
