"""LTX-Video: from a request to videos."""

import copy
import dataclasses
from collections.abc import Iterator
from contextlib import ExitStack
from itertools import pairwise
from typing import Unpack

from vidrt_engines.manifest import Bundle
from vidrt_engines.versions import version_named

from vidrt.arrays import FloatArray
from vidrt.components.base import EngineComponent
from vidrt.components.text_encoder import TextEncoder
from vidrt.components.transformer import Transformer
from vidrt.components.vae_decoder import VaeDecoder
from vidrt.errors import RequestError
from vidrt.noise.choice import make_generator
from vidrt.output.video import Video
from vidrt.pipelines.axes import check_sizes
from vidrt.pipelines.base import Pipeline
from vidrt.pipelines.decoding import decode_latents
from vidrt.pipelines.denoising import Denoiser, first_noise
from vidrt.pipelines.guidance_request import guidance_remarks
from vidrt.pipelines.latents import LatentGrid, latent_grid, unpack
from vidrt.pipelines.options import DenoisingStep, Options, Step
from vidrt.pipelines.prompts import Contexts, TextLength, encode_prompt, text_length
from vidrt.pipelines.record import run_record
from vidrt.pipelines.request import PromptEmbeddings, Request, Run, settle
from vidrt.progress import Progress
from vidrt.schedulers.flow_match_euler import schedule_sigmas
from vidrt.sessions.resources import Resources
from vidrt.tensor_files import fit_latents
from vidrt.tokenizer import Tokenizer

_READY_MADE = frozenset({"embeddings", "latents"})
_OPTIONS = _READY_MADE | {field.name for field in dataclasses.fields(Request)}


class LtxVideoPipeline(Pipeline):
    """Plays an LTX-Video bundle."""

    def __init__(
        self, bundle: Bundle, components: dict[str, EngineComponent], tokenizer: Tokenizer, progress: Progress,
        resources: Resources,
    ) -> None:  # fmt: skip
        super().__init__(bundle, components, progress, resources)
        self._tokenizer = tokenizer

    def denoise(self, **options: Unpack[Options]) -> Iterator[DenoisingStep]:
        """Denoises step by step: the caller owns progress, previews (`decode(step)`) and early stop.

        The request is checked at once, the prompt encoded when the first step is asked for; the text encoder is gone
        before the transformer comes.
        """
        run = self.check(**options)
        grid = self._grid(run)
        latents = self._given(options.get("latents"), run, grid)
        return self._denoise(run, grid, options.get("embeddings"), latents)

    def check(self, **options: Unpack[Options]) -> Run:
        """Checks a request and fills in what it leaves open, a seed included; nothing is loaded.

        Raises:
            RequestError: what cannot be right.
        """
        given = self._own(options, _OPTIONS)
        embeddings = options.get("embeddings")
        run = settle(
            Request(**{name: value for name, value in given.items() if name not in _READY_MADE}),
            self.bundle.ltx,
            self.bundle.model_version,
            has_embeddings=embeddings is not None,
        )
        self._given(options.get("latents"), run, self._grid(run))
        if embeddings is not None:
            self._check_embeddings(embeddings, is_guided=self._is_guided(run))
        check_sizes(run, self.bundle.ltx, self.components, self._texts(run, embeddings))
        self._check_blocks(run)
        return run

    def remarks(self, run: Run) -> list[str]:
        """What a user should know of a run before it begins."""
        own = version_named(run.ltxv_version).guidance
        return list(guidance_remarks(own, run.conventions.guidance, self._transformer().layers))

    def decode(self, step: Step) -> list[Video]:
        """Decodes the latents of a step, the last or any before; the run's random streams stay as they are."""
        assert isinstance(step, DenoisingStep)
        decoder = self.components["vae_decoder"]
        assert isinstance(decoder, VaeDecoder)
        self._progress.note("decoding")
        latents = unpack(step.latents, step.grid)
        frames = decode_latents(latents, decoder, self.bundle.ltx, step.run.conventions, copy.deepcopy(step.generators))
        record = run_record(step.run, self.bundle, self.components)
        return [Video(frames=item, fps=step.run.fps, record={**record, "video": i}) for i, item in enumerate(frames)]

    def _check_blocks(self, run: Run) -> None:
        """An older build has no input for perturbed blocks: it plays without, but not where they are asked for."""
        own, guidance = version_named(run.ltxv_version).guidance, run.conventions.guidance
        is_asked = any(guidance.stg_scales) and guidance.stg_scales != own.stg_scales
        if is_asked and not self._transformer().layers:
            raise RequestError(
                "The bundle's transformer is of an older build that knows no spatio-temporal guidance: "
                "build the bundle again, or leave its scale out."
            )

    def _given(self, latents: FloatArray | None, run: Run, grid: LatentGrid) -> FloatArray | None:
        if latents is None:
            return None
        return fit_latents(latents, grid, run.num_videos, self.bundle.ltx.latent_channels)

    def _grid(self, run: Run) -> LatentGrid:
        return latent_grid(self.bundle.ltx, run.height, run.width, run.num_frames)

    def _sigmas(self, run: Run) -> FloatArray:
        return schedule_sigmas(run.conventions.schedule, run.num_inference_steps, self._grid(run).tokens)

    def _is_guided(self, run: Run) -> bool:
        return any(run.conventions.guidance.at(float(sigma)).scale > 1 for sigma in self._sigmas(run)[:-1])

    def _check_embeddings(self, embeddings: PromptEmbeddings, *, is_guided: bool) -> None:
        if is_guided and embeddings.negative is None:
            raise RequestError("Guidance needs negative_prompt_embeds too: give them, or a guidance scale of 1.")
        context = next(spec for spec in self._transformer().engine.engine.inputs if spec.name == "context")
        for values in (embeddings.positive, embeddings.negative):
            if values is not None and (problem := context.mismatch(str(values.dtype), values.shape, {"batch": 1})):
                raise RequestError(f"The embeddings do not fit this bundle: {problem}.")

    def _texts(self, run: Run, embeddings: PromptEmbeddings | None) -> list[TextLength]:
        is_guided = self._is_guided(run)
        if embeddings is not None:
            given = [embeddings.positive, embeddings.negative if is_guided else None]
            return [TextLength(encoded=None, kept=values.shape[1]) for values in given if values is not None]
        prompts = [run.prompt, run.negative_prompt] if is_guided else [run.prompt]
        return [text_length(prompt, self._tokenizer, run.conventions) for prompt in prompts]

    def _denoise(
        self, run: Run, grid: LatentGrid, embeddings: PromptEmbeddings | None, latents: FloatArray | None
    ) -> Iterator[DenoisingStep]:
        generators = (make_generator(run.generator, run.seed), make_generator(run.generator, run.seed))
        sigmas = self._sigmas(run)
        contexts = self._contexts(run, embeddings)
        settings = self.bundle.ltx
        if latents is None:
            latents = first_noise(run, grid, settings.latent_channels, generators[0])
        transformer = self._transformer()
        total = len(sigmas) - 1
        with ExitStack() as phase:
            phase.enter_context(transformer.held())
            denoiser = Denoiser(transformer, run, grid, settings.rope_width, contexts, transformer.put)
            state = transformer.put(latents)
            for index, (sigma, following) in enumerate(pairwise(sigmas), 1):
                state = denoiser.step(state, sigma, following, generators[1])
                step = DenoisingStep(
                    index=index, total=total, sigma=float(following), state=state, run=run, grid=grid,
                    generators=copy.deepcopy(generators),
                )  # fmt: skip
                if index == total:
                    _ = step.latents  # a GPU's are looked at here only: a look at every step would stop its queue
                    phase.close()  # the transformer is gone before the caller decodes
                yield step

    def _transformer(self) -> Transformer:
        transformer = self.components["transformer"]
        assert isinstance(transformer, Transformer)
        return transformer

    def _contexts(self, run: Run, embeddings: PromptEmbeddings | None) -> Contexts:
        is_guided = self._is_guided(run)
        if embeddings is not None:
            return Contexts(positive=embeddings.positive, negative=embeddings.negative if is_guided else None)
        encoder = self.components["text_encoder"]
        assert isinstance(encoder, TextEncoder)
        prompts = [run.prompt, run.negative_prompt] if is_guided else [run.prompt]
        self._progress.note("encoding the prompt")
        with encoder.held():
            encoded = [encode_prompt(p, encoder, self._tokenizer, run.conventions, self._progress) for p in prompts]
        return Contexts(positive=encoded[0], negative=encoded[1] if is_guided else None)
