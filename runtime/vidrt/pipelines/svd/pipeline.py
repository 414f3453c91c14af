"""Stable Video Diffusion: from a picture to videos."""

import dataclasses
from collections.abc import Iterator
from itertools import pairwise
from typing import Unpack

import numpy as np
from vidrt_engines.manifest import Bundle
from vidrt_engines.names import Component

from vidrt.arrays import ByteArray, FloatArray
from vidrt.components.base import EngineComponent
from vidrt.components.image_encoder import ImageEncoder
from vidrt.components.svd_vae import SvdVaeDecoder, SvdVaeEncoder
from vidrt.components.unet import UNet
from vidrt.images.read import load_image
from vidrt.noise.choice import make_generator
from vidrt.output.video import Video
from vidrt.pipelines.axes import Sizes, check_svd_sizes, svd_sizes_by_component
from vidrt.pipelines.base import Pipeline
from vidrt.pipelines.evaluations import Evaluations, svd_evaluations
from vidrt.pipelines.options import Options, Step, SvdStep
from vidrt.pipelines.record import run_record
from vidrt.pipelines.svd.conditioning import SvdPictures, augmented, draw_noise, prepare_pictures
from vidrt.pipelines.svd.denoising import SvdDenoiser
from vidrt.pipelines.svd.frames import decode_chunks, decoder_latents, frames_to_bytes
from vidrt.pipelines.svd.limit import SvdLimit
from vidrt.pipelines.svd.request import SvdRequest, SvdRun, settle_svd
from vidrt.progress import Progress
from vidrt.schedulers.euler_karras import karras_table
from vidrt.sessions.resources import Resources

_OPTIONS = frozenset(field.name for field in dataclasses.fields(SvdRequest))


class SvdPipeline(Pipeline):
    """Plays a bundle of Stable Video Diffusion."""

    def __init__(
        self, bundle: Bundle, components: dict[str, EngineComponent], progress: Progress, resources: Resources
    ) -> None:
        super().__init__(bundle, components, progress, resources)
        self._fit = None if self._limit is None else SvdLimit(limit=self._limit, settings=bundle.svd)

    def denoise(self, **options: Unpack[Options]) -> Iterator[SvdStep]:
        """Denoises step by step: the caller owns progress, previews (`decode(step)`) and early stop.

        The request and its picture are checked at once, the picture encoded when the first step is asked for; the
        encoders are gone before the UNet comes.
        """
        request, run = self._settled(options)
        assert request.image is not None
        fitted = self._fitted(run)
        if self._fit is not None and (remark := self._fit.remark(run, fitted)):
            self._progress.note(remark)
        return self._denoise(fitted, load_image(request.image))

    def settled(self, **options: Unpack[Options]) -> SvdRun:
        """Checks a request and fills in what it leaves open, a seed included, but for a memory limit.

        The picture is read, no weight is.

        Raises:
            RequestError: what cannot be right.
        """
        request, run = self._settled(options)
        assert request.image is not None
        load_image(request.image)
        return run

    def check(self, **options: Unpack[Options]) -> SvdRun:
        """Checks a request and fills in what it leaves open, a seed included; the picture is read, no weight is.

        Raises:
            RequestError: what cannot be right, or is over a memory limit.
        """
        return self._fitted(self.settled(**options))

    def limited(self, **options: Unpack[Options]) -> list[str]:
        """What a memory limit makes of a request, a line each; none where nothing is other than without one.

        Raises:
            RequestError: the request is over the limit by every way.
        """
        asked = self.settled(**options)
        remark = None if self._fit is None else self._fit.remark(asked, self._fitted(asked))
        return [] if remark is None else [remark]

    def sizes(self, **options: Unpack[Options]) -> list[tuple[Component, Sizes]]:
        """The components that a request takes and the sizes of their axes."""
        return svd_sizes_by_component(self._settled(options)[1], self.bundle.svd)

    def evaluations(self, **options: Unpack[Options]) -> list[Evaluations]:
        """What a request asks of each engine: how many runs, at which sizes."""
        return list(svd_evaluations(self._settled(options)[1], self.bundle.svd))

    def decode(self, step: Step) -> list[Video]:
        """Decodes the latents of a step, the last or any before."""
        assert isinstance(step, SvdStep)
        self._progress.note("decoding")
        run = step.run
        frames = self._decoded(decoder_latents(step.latents, self.bundle.svd.scaling_factor), run)
        videos = frames.reshape(run.num_videos, -1, *frames.shape[1:])
        record = run_record(run, self.bundle, self.components)
        return [Video(frames=item, fps=run.fps, record={**record, "video": i}) for i, item in enumerate(videos)]

    def _fitted(self, run: SvdRun) -> SvdRun:
        return run if self._fit is None else self._fit.fitted(run)

    def _settled(self, options: Options) -> tuple[SvdRequest, SvdRun]:
        request = SvdRequest(**self._own(options, _OPTIONS))
        run = settle_svd(request, self.bundle.svd)
        check_svd_sizes(run, self.bundle.svd, self.components)
        return request, run

    def _denoise(self, run: SvdRun, image: ByteArray) -> Iterator[SvdStep]:
        if self._limit is not None and self._fit is not None:
            self._limit.keep_open(self._fit.phases(run))
        settings = self.bundle.svd
        table = karras_table(run.num_inference_steps, settings.scheduler.sigma_min, settings.scheduler.sigma_max)
        noise = draw_noise(make_generator(run.generator, run.seed), run, settings)
        self._progress.note("encoding the picture")
        embedding, mode = self._encoded(prepare_pictures(image, run, settings), noise.image, run)
        unet = self.components["unet"]
        assert isinstance(unet, UNet)
        denoiser = SvdDenoiser(unet, run, embedding, mode)
        latents = noise.latents * table.first_scale
        total = run.num_inference_steps
        with unet.held():
            for index, (sigma, following) in enumerate(pairwise(table.sigmas), 1):
                latents = denoiser.step(latents, table.timesteps[index - 1], sigma, following)
                if index == total:
                    break
                yield SvdStep(index=index, total=total, sigma=float(following), state=latents, run=run)
        # the UNet is gone before the caller decodes
        yield SvdStep(index=total, total=total, sigma=0.0, state=latents, run=run)

    def _encoded(self, pictures: SvdPictures, noise: FloatArray, run: SvdRun) -> tuple[FloatArray, FloatArray]:
        """CLIP's embedding of the picture (1, D), and the mode of its latents (1, C, h, w)."""
        image_encoder, encoder = self.components["image_encoder"], self.components["vae_encoder"]
        assert isinstance(image_encoder, ImageEncoder)
        assert isinstance(encoder, SvdVaeEncoder)
        # copies: onnxruntime's own arrays would keep all that the engines took
        embedding = np.array(image_encoder(pictures.clip))
        moments = encoder(augmented(pictures.vae, noise, run.noise_aug_strength))
        return embedding, np.array(moments[:, : self.bundle.svd.latent_channels])

    def _decoded(self, latents: FloatArray, run: SvdRun) -> ByteArray:
        """(B·F, C, h, w) to (B·F, H, W, 3), some frames at a time."""
        decoder = self.components["vae_decoder"]
        assert isinstance(decoder, SvdVaeDecoder)
        chunks = decode_chunks(
            run.num_videos, run.num_frames, run.decode_chunk_size, mixes_videos=run.chunks_mix_videos
        )
        with decoder.held():
            return np.concatenate([frames_to_bytes(decoder(latents[None, chunk])[0], 1)[0] for chunk in chunks])
