"""The sizes that a run gives to the axes of its components, checked before any weight is read."""

from collections.abc import Iterable, Iterator, Mapping, Sequence

from vidrt_engines.axes import axis_sizes
from vidrt_engines.names import Component
from vidrt_engines.settings import LtxSettings
from vidrt_engines.svd_settings import SvdSettings

from vidrt.components.base import EngineComponent
from vidrt.conditioning.item import extra_latent_frames
from vidrt.errors import RequestError
from vidrt.pipelines.ltx_video.passes import Pass
from vidrt.pipelines.ltx_video.prompts import TextLength
from vidrt.pipelines.ltx_video.request import Run
from vidrt.pipelines.svd.request import SvdRun
from vidrt.sessions.fitting import BUILDS, VideoSize

Sizes = dict[str, int]


def check_svd_sizes(run: SvdRun, settings: SvdSettings, components: Mapping[str, EngineComponent]) -> None:
    """Compares a run of Stable Video Diffusion with the sizes that its engines were built for.

    Raises:
        RequestError: the first engine that does not fit, and the command that builds those that do.
    """
    video = VideoSize(height=run.height, width=run.width, num_frames=run.num_frames)
    _refuse(svd_sizes_by_component(run, settings), video, components)


def svd_sizes_by_component(run: SvdRun, settings: SvdSettings) -> list[tuple[Component, Sizes]]:
    """Each component of Stable Video Diffusion with the sizes of its axes."""
    size = {"height": run.height, "width": run.width}
    whole = axis_sizes(settings, **size, num_frames=run.num_frames, text_tokens=0, batch=run.num_videos)
    chunk = {**whole, "batch": 1, "frames": min(run.decode_chunk_size or run.num_frames, run.num_frames)}
    return [
        (Component.IMAGE_ENCODER, {**whole, "batch": 1}),
        (Component.VAE_ENCODER, {**whole, "batch": 1}),
        (Component.UNET, whole),
        (Component.VAE_DECODER, chunk),
    ]


def check_sizes(
    run: Run, settings: LtxSettings, components: Mapping[str, EngineComponent], texts: Sequence[TextLength], *,
    is_tiled: bool = False,
) -> None:  # fmt: skip
    """Compares a run with the sizes that its engines were built for.

    Args:
        run: what is being made.
        settings: the bundle's.
        components: those of the pipeline.
        texts: the lengths of the prompt and, with guidance, of the negative prompt.
        is_tiled: the decoder will not see whole frames, so that their size is no matter to it.

    Raises:
        RequestError: the first engine that does not fit, and the command that builds those that do.
    """
    extra = extra_latent_frames(run.conditions, settings.temporal_compression) * settings.temporal_compression
    video = VideoSize(height=run.height, width=run.width, num_frames=run.num_frames, extra_frames=extra)
    by_component = sizes_by_component(run, settings, texts)
    seen = (one for one in by_component if not (is_tiled and one[0] is Component.VAE_DECODER))
    _refuse(seen, video, components)


def _refuse(
    by_component: Iterable[tuple[Component, Sizes]], video: VideoSize, components: Mapping[str, EngineComponent]
) -> None:
    refused: dict[Component, str] = {}
    for component, sizes in by_component:
        if problem := components[component].engine.refusal(sizes, video):
            refused.setdefault(component, problem)
    if refused:
        raise RequestError(_together(refused, components))


def _together(refused: Mapping[Component, str], components: Mapping[str, EngineComponent]) -> str:
    """The first refusal, whose command builds the others of its kind too."""
    (first, told), *others = refused.items()
    kind = _kind(components[first])
    more = [name for name, problem in others if _kind(components[name]) == kind and BUILDS in problem]
    return told.removesuffix(".") + "".join(f" --component {name}" for name in more) + "." if BUILDS in told else told


def _kind(component: EngineComponent) -> tuple[str, str]:
    engine = component.engine.engine
    return engine.backend, engine.precision


def sizes_by_component(
    run: Run, settings: LtxSettings, texts: Sequence[TextLength]
) -> Iterator[tuple[Component, Sizes]]:
    """Each component that a video takes, as often as it meets other sizes, with those of its axes among all axes."""
    for text in texts:
        if text.encoded is not None:
            yield Component.TEXT_ENCODER, run_sizes(run, settings, run.passes[0], text.encoded, 1)
        for part in run.passes:
            yield Component.TRANSFORMER, denoising_sizes(run, settings, part, text.kept)
    for part in run.passes:
        for item in run.conditions:
            yield Component.VAE_ENCODER, {**run_sizes(run, settings, part, 1, 1), "frames": item.frames}
    if len(run.passes) > 1:
        yield Component.LATENT_UPSAMPLER, run_sizes(run, settings, run.passes[0], 1, 1)
    yield Component.VAE_DECODER, run_sizes(run, settings, run.passes[-1], 1, 1)


def denoising_sizes(run: Run, settings: LtxSettings, part: Pass, text_tokens: int) -> Sizes:
    """The transformer's sizes, with the tokens that conditions put in front, and a timestep for each of all."""
    sizes = run_sizes(run, settings, part, text_tokens, run.num_videos)
    if not run.conditions:
        return sizes
    grid = part.grid(settings)
    tokens = grid.tokens + extra_latent_frames(run.conditions, grid.temporal) * grid.rows * grid.columns
    return {**sizes, "tokens": tokens, "timestep_tokens": tokens}


def run_sizes(run: Run, settings: LtxSettings, part: Pass, text_tokens: int, batch: int) -> Sizes:
    """The sizes of all axes in a pass."""
    size = {"height": part.height, "width": part.width, "num_frames": run.num_frames}
    return axis_sizes(settings, **size, text_tokens=text_tokens, batch=batch)
