"""The passes of an LTX-Video run, one after the other: where each begins, and its steps."""

import copy
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import pairwise

from vidrt_engines.settings import LtxSettings

from vidrt.arrays import FloatArray
from vidrt.components.base import EngineComponent
from vidrt.components.latent_upsampler import LatentUpsampler
from vidrt.components.transformer import Transformer
from vidrt.components.vae_encoder import VaeEncoder
from vidrt.conditioning.clips import encoded_clips
from vidrt.conditioning.denoising import ConditionedDenoiser
from vidrt.conditioning.rules import condition_rules
from vidrt.conditioning.start import Place, Start, conditioned_start, plain_start
from vidrt.noise.choice import make_generator
from vidrt.pipelines.latents import unpack
from vidrt.pipelines.ltx_video.denoising import Denoiser, first_noise
from vidrt.pipelines.ltx_video.passes import Pass
from vidrt.pipelines.ltx_video.prompts import Contexts
from vidrt.pipelines.ltx_video.request import PromptEmbeddings, Run
from vidrt.pipelines.ltx_video.step_cache import CachedPass, StepCache
from vidrt.pipelines.ltx_video.upscaling import adain, renoised, upscaled
from vidrt.pipelines.options import DenoisingStep
from vidrt.progress import Progress


@dataclass(frozen=True, kw_only=True, eq=False)
class Given:
    """What a run is given ready made.

    Attributes:
        embeddings: instead of prompts.
        latents: tokens (B, S, C) that the first pass begins with, instead of noise.
    """

    embeddings: PromptEmbeddings | None = None
    latents: FloatArray | None = None


class PassPlayer:
    """Plays the passes of one run.

    Args:
        run: what is being made.
        given: ready made.
        contexts: the embeddings of the prompts.
        settings: the bundle's.
        components: the pipeline's.
        progress: told of the phases.
    """

    def __init__(
        self, run: Run, given: Given, contexts: Contexts, settings: LtxSettings,
        components: Mapping[str, EngineComponent], progress: Progress,
    ) -> None:  # fmt: skip
        self._run, self._given, self._contexts, self._settings = run, given, contexts, settings
        self._components, self._progress = components, progress
        self._generators = make_generator(run.generator, run.seed), make_generator(run.generator, run.seed)
        self._rules = condition_rules(run.compat, settings.pipeline_class)
        self._cached: tuple[CachedPass, ...] = ()

    def steps(self) -> Iterator[DenoisingStep]:
        """Every step of every pass; the transformer is gone when the last of a pass is handed out."""
        done, before = 0, None
        for part in self._run.passes:
            for step in self._denoised(part, self._start(part, before), done):
                yield step
                before = step
            done += part.kept_steps

    def _denoised(self, part: Pass, start: Start, done: int) -> Iterator[DenoisingStep]:
        run, transformer = self._run, self._components["transformer"]
        assert isinstance(transformer, Transformer)
        with ExitStack() as phase:
            phase.enter_context(transformer.held())
            sigmas = part.sigmas(self._settings)
            cache = None if part.step_cache is None else StepCache(part.step_cache, start.mask)
            denoiser = self._denoiser(transformer, part, start, sigmas, cache)
            state = denoiser.begin()
            for index, (sigma, following) in enumerate(pairwise(sigmas), 1):
                state = denoiser.step(state, sigma, following, self._generators)
                cached = self._cached if cache is None else (*self._cached, cache.done)
                step = DenoisingStep(
                    index=done + index, total=run.kept_steps, sigma=float(following), state=state, extra=start.extra,
                    run=run, part=part, grid=part.grid(self._settings), generators=copy.deepcopy(self._generators),
                    cached=cached,
                )  # fmt: skip
                if index == part.kept_steps:
                    _ = step.latents  # a GPU's are looked at here only: a look at every step would stop its queue
                    phase.close()  # the transformer is gone before the caller decodes
                    self._tell(cached[len(self._cached) :])
                    self._cached = cached
                yield step

    def _tell(self, cached: Iterable[CachedPass]) -> None:
        for done in cached:
            self._progress.note(f"Step cache: {done}")

    def _denoiser(
        self, transformer: Transformer, part: Pass, start: Start, sigmas: FloatArray, cache: StepCache | None
    ) -> Denoiser:
        rules, width, put = self._run.conventions, self._settings.rope_width, transformer.put
        what = rules, part.guidance, start, width, self._contexts, put, cache
        if start.mask is None:
            return Denoiser(transformer, *what)
        return ConditionedDenoiser(transformer, *what, condition_rules=self._rules, sigmas=sigmas)

    def _start(self, part: Pass, before: DenoisingStep | None) -> Start:
        """Where a pass begins: in noise, or what is left of it over the pass before; with conditions laid over it."""
        grid = part.grid(self._settings)
        place = Place(grid=grid, fps=self._run.fps, rope_time=self._run.conventions.rope_time)
        larger = None if before is None else self._upscaled(before)

        def draw() -> FloatArray:
            if before is None and self._given.latents is not None:
                return unpack(self._given.latents, grid)
            noise = unpack(first_noise(self._run, grid, self._settings.latent_channels, self._generators[0]), grid)
            return noise if larger is None else renoised(larger, part.sigmas(self._settings)[0], noise)

        if not self._run.conditions:
            return plain_start(draw(), place)
        self._progress.note("encoding what the video is to show")
        encoder = self._components["vae_encoder"]
        assert isinstance(encoder, VaeEncoder)
        size, full = (part.height, part.width), (self._run.height, self._run.width)
        clips = encoded_clips(self._run.conditions, full, size, self._rules, encoder, self._settings)
        return conditioned_start(draw, clips, place, self._rules, self._generators, self._settings)

    def _upscaled(self, before: DenoisingStep) -> FloatArray:
        """The latents of a pass at twice the size, with the statistics that they had: (B, C, F, 2·H, 2·W)."""
        upsampler = self._components["latent_upsampler"]
        assert isinstance(upsampler, LatentUpsampler)
        self._progress.note("upscaling the latents for the second pass")
        latents = unpack(before.latents, before.grid)
        return adain(upscaled(latents, upsampler, self._settings), latents)
