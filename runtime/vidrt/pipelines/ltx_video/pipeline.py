"""LTX-Video: from a request to videos."""

import dataclasses
from collections.abc import Iterator, Sequence
from typing import Unpack

import numpy as np
from vidrt_engines.manifest import Bundle
from vidrt_engines.names import Component
from vidrt_engines.versions import version_named

from vidrt.arrays import FloatArray
from vidrt.components.base import EngineComponent
from vidrt.components.text_encoder import TextEncoder
from vidrt.components.transformer import Transformer
from vidrt.components.vae_decoder import VaeDecoder
from vidrt.errors import RequestError
from vidrt.output.video import StreamedVideo, Video
from vidrt.pipelines.axes import Sizes, check_sizes, sizes_by_component
from vidrt.pipelines.base import Pipeline
from vidrt.pipelines.decode_options import DecodeOptions
from vidrt.pipelines.evaluations import Evaluations, ltx_evaluations
from vidrt.pipelines.ltx_video.decoding import stream_latents
from vidrt.pipelines.ltx_video.final_latents import FinalLatents, check_final, final_latents
from vidrt.pipelines.ltx_video.frame_decoder import check_tiles
from vidrt.pipelines.ltx_video.guidance_request import guidance_remarks
from vidrt.pipelines.ltx_video.limit import LtxLimit
from vidrt.pipelines.ltx_video.passes import pass_remarks
from vidrt.pipelines.ltx_video.played_passes import Given, PassPlayer
from vidrt.pipelines.ltx_video.prompts import Contexts, TextLength, encode_prompts, text_length
from vidrt.pipelines.ltx_video.request import PromptEmbeddings, Request, Run
from vidrt.pipelines.ltx_video.settling import settle
from vidrt.pipelines.ltx_video.step_cache_request import step_cache_remarks
from vidrt.pipelines.options import DenoisingStep, Options, Step
from vidrt.pipelines.record import run_record
from vidrt.planning.phases import Phase
from vidrt.progress import Progress
from vidrt.prompt_cache import PromptCache
from vidrt.sessions.resources import Resources
from vidrt.tensor_files import fit_latents
from vidrt.tokenizer import Tokenizer

_READY_MADE = frozenset({"embeddings", "latents"})
_OPTIONS = _READY_MADE | {field.name for field in dataclasses.fields(Request)}


class LtxVideoPipeline(Pipeline):
    """Plays an LTX-Video bundle."""

    def __init__(
        self, bundle: Bundle, components: dict[str, EngineComponent], tokenizer: Tokenizer, progress: Progress,
        resources: Resources, *, cache_prompts: bool = False, decoding: DecodeOptions | None = None,
    ) -> None:  # fmt: skip
        super().__init__(bundle, components, progress, resources)
        self._tokenizer, self._caches_prompts = tokenizer, cache_prompts
        self._decoding = decoding or DecodeOptions()
        self._fit = None
        if self._limit is not None:
            self._fit = LtxLimit(limit=self._limit, settings=bundle.ltx, options=self._decoding)

    def denoise(self, **options: Unpack[Options]) -> Iterator[DenoisingStep]:
        """Denoises step by step: the caller owns progress, previews (`decode(step)`) and early stop.

        The request is checked at once, the prompt encoded when the first step is asked for; the text encoder is gone
        before the transformer comes.
        """
        run, given = self._settled(options)
        return self._denoise(run, given, self._phases(run, given.embeddings))

    def settled(self, **options: Unpack[Options]) -> Run:
        """Checks a request but for a memory limit, and fills in what it leaves open, with a seed; nothing is loaded.

        Raises:
            RequestError: what cannot be right.
        """
        return self._settled(options)[0]

    def check(self, **options: Unpack[Options]) -> Run:
        """Checks a request and fills in what it leaves open, a seed included; nothing is loaded.

        Raises:
            RequestError: what cannot be right, or is over a memory limit.
        """
        run, given = self._settled(options)
        self._phases(run, given.embeddings)
        return run

    def limited(self, **options: Unpack[Options]) -> list[str]:
        """What a memory limit makes of a request, a line each; none where nothing is other than without one.

        Raises:
            RequestError: the request is over the limit by every way.
        """
        remark = None if self._fit is None else self._fit.remark(self.check(**options))
        return [] if remark is None else [remark]

    def sizes(self, **options: Unpack[Options]) -> list[tuple[Component, Sizes]]:
        """The components that a request takes and the sizes of their axes, each as often as it meets others."""
        run = self.settled(**options)
        return list(sizes_by_component(run, self.bundle.ltx, self._texts(run, options.get("embeddings"))))

    def evaluations(self, **options: Unpack[Options]) -> list[Evaluations]:
        """What a request asks of each engine: how many runs, at which sizes; with a step cache at most so many.

        Raises:
            RequestError: what cannot be right, or cannot be decoded within a memory limit.
        """
        run = self.settled(**options)
        texts, layers = self._texts(run, options.get("embeddings")), self._transformer().layers
        engines = {name: component.engine.engine for name, component in self.components.items()}
        decoding = self._decoding if self._fit is None else self._fit.way(run)
        return list(ltx_evaluations(run, self.bundle.ltx, texts, engines, layers, decoding))

    def remarks(self, run: Run) -> list[str]:
        """What a user should know of a run before it begins."""
        version = version_named(run.ltxv_version)
        guidance = guidance_remarks(version.guidance, run.conventions.guidance, self._transformer().layers)
        conditions = (item.remark for item in run.conditions if item.remark)
        return [*guidance, *pass_remarks(run), *step_cache_remarks(run), *conditions]

    def decode(self, step: Step) -> list[Video]:
        """Decodes the latents of a step, the last or any before; the run's random streams stay as they are."""
        return self.decode_final(self.final_latents(step))

    def final_latents(self, step: Step) -> FinalLatents:
        """What is left to decode of a step, to be kept or decoded: it draws no number more."""
        assert isinstance(step, DenoisingStep)
        record = run_record(step.run, self.bundle, self.components, step.cached)
        return final_latents(step, self._decoder(), self.bundle.ltx, record)

    def decode_final(self, final: FinalLatents) -> list[Video]:
        """Decodes what a run has left to decode, this pipeline's or an earlier one's.

        Raises:
            RequestError: the latents are not of this bundle's kind.
            OutOfMemoryError: there is not enough memory to decode even the smallest tile.
            EngineError: the decoder cannot be opened, or failed.
        """
        return [
            Video(frames=np.concatenate(list(video.parts)), fps=video.fps, record=video.record)
            for video in self.stream_final(final)
        ]

    def stream_final(self, final: FinalLatents) -> Iterator[StreamedVideo]:
        """Decodes as `decode_final` does, but hands out frames as they come: memory holds some of them at a time.

        Yields:
            Each video; its parts are to be taken before the next one is.
        """
        decoder, settings = self._decoder(), self.bundle.ltx
        check_final(final, decoder, settings)
        options, remark = self._decode_options(final)
        check_tiles(options, final.latents.shape, decoder, settings)
        self._progress.note(remark or "decoding")
        record = {**final.record, **({"vae_tiles": str(options.tiles)} if options.tiles else {})}
        for number, parts in enumerate(stream_latents(final, decoder, settings, options, self._progress.note)):
            yield StreamedVideo(parts=parts, fps=final.fps, record={**record, "video": number})

    def _settled(self, options: Options) -> tuple[Run, Given]:
        asked = self._own(options, _OPTIONS)
        embeddings, settings = options.get("embeddings"), self.bundle.ltx
        run = settle(
            Request(**{name: value for name, value in asked.items() if name not in _READY_MADE}),
            settings,
            self.bundle.model_version,
            has_embeddings=embeddings is not None,
            can_upscale=Component.LATENT_UPSAMPLER in self.components,
        )
        given = Given(embeddings=embeddings, latents=self._latents(options.get("latents"), run))
        if embeddings is not None:
            self._check_embeddings(embeddings, is_guided=self._is_guided(run))
        self._check_encoder(run)
        self._check_decoding(run)
        is_tiled = self._decoding.tiles is not None
        check_sizes(run, settings, self.components, self._texts(run, embeddings), is_tiled=is_tiled)
        self._check_blocks(run)
        return run, given

    def _phases(self, run: Run, embeddings: PromptEmbeddings | None) -> list[Phase]:
        """What a run takes, phase by phase, where there is a limit for it."""
        return [] if self._fit is None else self._fit.phases(run, self._texts(run, embeddings))

    def _decode_options(self, final: FinalLatents) -> tuple[DecodeOptions, str | None]:
        """How videos are decoded, and why where a memory limit made it another way than asked for."""
        return (self._decoding, None) if self._fit is None else self._fit.decode_options(final.latents.shape)

    def _check_decoding(self, run: Run) -> None:
        grid = run.passes[-1].grid(self.bundle.ltx)
        videos = 1 if self._decoding.slicing else run.num_videos
        shape = (videos, self.bundle.ltx.latent_channels, grid.frames, grid.rows, grid.columns)
        check_tiles(self._decoding, shape, self._decoder(), self.bundle.ltx)

    def _check_encoder(self, run: Run) -> None:
        if run.conditions and Component.VAE_ENCODER not in self.components:
            raise RequestError(
                "The bundle has no VAE encoder, which an image or a condition needs: "
                "build it with build-engines --component vae_encoder."
            )

    def _check_blocks(self, run: Run) -> None:
        """An older build has no input for perturbed blocks: it plays without, but not where they are asked for."""
        own, guidance = version_named(run.ltxv_version).guidance, run.conventions.guidance
        is_asked = any(guidance.stg_scales) and guidance.stg_scales != own.stg_scales
        if is_asked and not self._transformer().layers:
            raise RequestError(
                "The bundle's transformer is of an older build that knows no spatio-temporal guidance: "
                "build the bundle again, or leave its scale out."
            )

    def _latents(self, latents: FloatArray | None, run: Run) -> FloatArray | None:
        if latents is None:
            return None
        settings = self.bundle.ltx
        return fit_latents(latents, run.passes[0].grid(settings), run.num_videos, settings.latent_channels)

    def _is_guided(self, run: Run) -> bool:
        return any(part.is_guided(self.bundle.ltx) for part in run.passes)

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

    def _denoise(self, run: Run, given: Given, phases: Sequence[Phase]) -> Iterator[DenoisingStep]:
        if self._limit is not None:
            self._limit.keep_open(phases)
        contexts = self._contexts(run, given.embeddings)
        yield from PassPlayer(run, given, contexts, self.bundle.ltx, self.components, self._progress).steps()

    def _contexts(self, run: Run, embeddings: PromptEmbeddings | None) -> Contexts:
        is_guided = self._is_guided(run)
        if embeddings is not None:
            return Contexts(positive=embeddings.positive, negative=embeddings.negative if is_guided else None)
        encoder = self.components["text_encoder"]
        assert isinstance(encoder, TextEncoder)
        prompts = [run.prompt, run.negative_prompt] if is_guided else [run.prompt]
        cache = PromptCache(encoder.engine.engine) if self._caches_prompts else None
        encoded = encode_prompts(prompts, encoder, self._tokenizer, run.conventions, self._progress, cache)
        return Contexts(positive=encoded[0], negative=encoded[1] if is_guided else None)

    def _decoder(self) -> VaeDecoder:
        decoder = self.components["vae_decoder"]
        assert isinstance(decoder, VaeDecoder)
        return decoder

    def _transformer(self) -> Transformer:
        transformer = self.components["transformer"]
        assert isinstance(transformer, Transformer)
        return transformer
