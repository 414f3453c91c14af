"""What a run asks of its engines: how often each of them runs, and at which sizes."""

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from vidrt_engines.manifest import Engine
from vidrt_engines.names import Component
from vidrt_engines.settings import LtxSettings
from vidrt_engines.svd_settings import SvdSettings

from vidrt.components.tiling import tile_counts
from vidrt.components.vae_decoder import passes_by
from vidrt.pipelines.axes import Sizes, denoising_sizes, run_sizes, svd_sizes_by_component
from vidrt.pipelines.decode_options import DecodeOptions
from vidrt.pipelines.ltx_video.frame_decoder import in_latents
from vidrt.pipelines.ltx_video.guidance import is_guided, perturbation
from vidrt.pipelines.ltx_video.passes import Pass
from vidrt.pipelines.ltx_video.prompts import TextLength
from vidrt.pipelines.ltx_video.request import Run
from vidrt.pipelines.svd.frames import decode_chunks
from vidrt.pipelines.svd.guidance import guidance_scales
from vidrt.pipelines.svd.guidance import is_guided as is_svd_guided
from vidrt.pipelines.svd.request import SvdRun


@dataclass(frozen=True, kw_only=True)
class Evaluations:
    """Runs of one engine at one size.

    Attributes:
        component: whose it is.
        sizes: of its axes, among all axes.
        count: how many runs; with a step cache at most so many.
        is_streamed: each is a video that passes through the stages.
        phase: in which of the times that the engine is open; a second pass opens it anew.
    """

    component: Component
    sizes: Sizes
    count: int = 1
    is_streamed: bool = False
    phase: int = 0


def ltx_evaluations(
    run: Run, settings: LtxSettings, texts: Sequence[TextLength], engines: Mapping[str, Engine], layers: int,
    decoding: DecodeOptions,
) -> Iterator[Evaluations]:  # fmt: skip
    """What a run of LTX-Video asks for.

    Args:
        run: what is being made.
        settings: the bundle's.
        texts: the lengths of the prompt and, with guidance, of the negative prompt.
        engines: by component.
        layers: the transformer's depth, as far as its blocks can be perturbed.
        decoding: how latents are decoded.
    """
    for text in texts:
        if text.encoded is not None:
            yield Evaluations(
                component=Component.TEXT_ENCODER, sizes=run_sizes(run, settings, run.passes[0], text.encoded, 1)
            )
    for number, part in enumerate(run.passes):
        for item in run.conditions:
            sizes = {**run_sizes(run, settings, part, 1, 1), "frames": item.frames}
            yield Evaluations(component=Component.VAE_ENCODER, sizes=sizes, phase=number)
        if number:
            sizes = run_sizes(run, settings, run.passes[number - 1], 1, 1)
            yield Evaluations(component=Component.LATENT_UPSAMPLER, sizes=sizes, count=run.num_videos)
        yield from _denoising(run, settings, part, texts, layers, number)
    yield from _decoding(run, settings, engines[Component.VAE_DECODER], decoding)


def _denoising(
    run: Run, settings: LtxSettings, part: Pass, texts: Sequence[TextLength], layers: int, phase: int
) -> Iterator[Evaluations]:
    """The transformer's runs in a pass: with the prompt, twice the batch where blocks are perturbed; with the other."""
    rules = [part.guidance.at(float(sigma)) for sigma in part.sigmas(settings)[:-1]]
    perturbed = sum(perturbation(rule, part.guidance.stg_mode, layers) is not None for rule in rules)
    guided = sum(map(is_guided, rules)) if len(texts) > 1 else 0
    prompt, negative = denoising_sizes(run, settings, part, texts[0].kept), texts[-1].kept
    counted = (
        (prompt, len(rules) - perturbed),
        ({**prompt, "batch": 2 * run.num_videos}, perturbed),
        ({**prompt, "text_tokens": negative}, guided),
    )
    for sizes, count in counted:
        if count:
            yield Evaluations(component=Component.TRANSFORMER, sizes=sizes, count=count, phase=phase)


def _decoding(run: Run, settings: LtxSettings, engine: Engine, options: DecodeOptions) -> Iterator[Evaluations]:
    """The decoder's runs: whole videos, or all tiles of them."""
    videos, batch = (run.num_videos, 1) if options.slicing else (1, run.num_videos)
    sizes = run_sizes(run, settings, run.passes[-1], 1, batch)
    is_streamed = passes_by(engine, sizes["latent_frames"])
    one = Evaluations(component=Component.VAE_DECODER, sizes=sizes, count=videos, is_streamed=is_streamed)
    if options.tiles is None:
        yield one
        return
    grid = run.passes[-1].grid(settings)
    shapes = tile_counts(in_latents(options.tiles, settings), grid.frames, grid.rows, grid.columns)
    for (frames, rows, columns), count in shapes.items():
        tile = {"latent_frames": frames, "latent_rows": rows, "latent_columns": columns}
        is_streamed = passes_by(engine, frames)
        yield dataclasses.replace(one, sizes={**sizes, **tile}, count=videos * count, is_streamed=is_streamed)


def svd_evaluations(run: SvdRun, settings: SvdSettings) -> Iterator[Evaluations]:
    """What a run of Stable Video Diffusion asks for."""
    sizes = dict(svd_sizes_by_component(run, settings))
    yield Evaluations(component=Component.IMAGE_ENCODER, sizes={"batch": 1})
    yield Evaluations(component=Component.VAE_ENCODER, sizes=sizes[Component.VAE_ENCODER])
    scales = guidance_scales(run.min_guidance_scale, run.max_guidance_scale, run.num_frames)
    times = 2 if is_svd_guided(scales) else 1
    yield Evaluations(component=Component.UNET, sizes=sizes[Component.UNET], count=times * run.num_inference_steps)
    chunks = decode_chunks(run.num_videos, run.num_frames, run.decode_chunk_size, mixes_videos=run.chunks_mix_videos)
    for chunk in chunks:
        frames = {"frames": chunk.stop - chunk.start}
        yield Evaluations(component=Component.VAE_DECODER, sizes={**sizes[Component.VAE_DECODER], **frames})
