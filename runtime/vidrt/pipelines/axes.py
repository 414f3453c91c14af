"""The sizes that a run gives to the axes of each component, checked before any weight is read."""

from collections.abc import Iterator, Mapping, Sequence

from vidrt_engines.names import Component
from vidrt_engines.settings import LtxSettings

from vidrt.components.base import EngineComponent
from vidrt.errors import RequestError
from vidrt.pipelines.latents import LatentGrid
from vidrt.pipelines.prompts import TextLength
from vidrt.pipelines.request import Run
from vidrt.sessions.fitting import VideoSize

Sizes = dict[str, int]


def runs(
    run: Run, grid: LatentGrid, settings: LtxSettings, texts: Sequence[TextLength]
) -> Iterator[tuple[Component, Sizes]]:
    """Each component that a video takes, with the sizes of its inputs' axes.

    Args:
        run: what is being made.
        grid: its latents.
        settings: the bundle's.
        texts: the lengths of the prompt and, with guidance, of the negative prompt.
    """
    for text in texts:
        if text.encoded is not None:
            yield Component.TEXT_ENCODER, {"batch": 1, "text_tokens": text.encoded}
        yield Component.TRANSFORMER, {
            "batch": run.num_videos, "tokens": grid.tokens, "text_tokens": text.kept, "timestep_tokens": 1
        }  # fmt: skip
    latents = {"latent_frames": grid.frames, "latent_rows": grid.rows, "latent_columns": grid.columns}
    noise: Sizes = {}
    for scale in settings.injected_noise:
        noise |= {f"rows_x{scale}": grid.rows * scale, f"columns_x{scale}": grid.columns * scale}
    yield Component.VAE_DECODER, {"batch": 1, **latents, **noise}


def check_sizes(run: Run, components: Mapping[str, EngineComponent], sizes: Iterator[tuple[Component, Sizes]]) -> None:
    """Compares a run with the sizes that its engines were built for.

    Raises:
        RequestError: the first engine that does not fit, and the command that builds one that does.
    """
    video = VideoSize(height=run.height, width=run.width, num_frames=run.num_frames)
    for component, axes in sizes:
        if problem := components[component].engine.refusal(axes, video):
            raise RequestError(problem)
