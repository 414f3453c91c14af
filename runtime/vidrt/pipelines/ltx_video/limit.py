"""LTX-Video under a memory limit on the CPU: what a request takes by the ways that fit, and what would help."""

import dataclasses
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial

from vidrt_engines.names import Component
from vidrt_engines.settings import LtxSettings

from vidrt.components.vae_encoder import chunk_frames
from vidrt.pipelines.axes import sizes_by_component
from vidrt.pipelines.decode_options import DecodeOptions
from vidrt.pipelines.limit import MemoryLimit
from vidrt.pipelines.ltx_video.prompts import TextLength
from vidrt.pipelines.ltx_video.request import Run
from vidrt.planning.decoding import Decoding
from vidrt.planning.encoding import fitting_encoding
from vidrt.planning.engines import LatentSize
from vidrt.planning.limit import chosen, fitting, picked, refuse_over, smaller_engines
from vidrt.planning.phases import Phase, phases


@dataclass(frozen=True, kw_only=True)
class LtxLimit:
    """Finds what of a request fits.

    Attributes:
        limit: the pipeline's.
        settings: the bundle's.
        options: how videos are decoded where memory is no matter.
    """

    limit: MemoryLimit
    settings: LtxSettings
    options: DecodeOptions

    def phases(self, run: Run, texts: Sequence[TextLength]) -> list[Phase]:
        """What each phase takes by the way that is taken.

        Raises:
            RequestError: one is over the limit by every way.
        """
        found = list(self._before_decoding(run, texts))
        refuse_over(found, self.limit.bytes, partial(self._remedies, run, texts))
        decoding = self._decoding(run)
        way = chosen(decoding, self.options, self.limit.bytes, partial(self._smaller, run, texts))
        need = decoding.need(way)
        return [*found, Phase(name="decoding", component=Component.VAE_DECODER, need=need)]

    def decode_options(self, shape: Sequence[int]) -> tuple[DecodeOptions, str | None]:
        """How latents (B, C, F, H, W) are decoded, and why where it is not as without a limit.

        Raises:
            RequestError: no way fits, or not the one that is asked for.
        """
        videos, _, frames, rows, columns = shape
        size = LatentSize(frames=frames, rows=rows, columns=columns)
        return self._picked(self._with(size, videos))

    def way(self, run: Run) -> DecodeOptions:
        """How a run will be decoded.

        Raises:
            RequestError: no way fits.
        """
        return self._picked(self._decoding(run))[0]

    def remark(self, run: Run) -> str | None:
        """Says in a line how a run will be decoded, where it is not as without a limit."""
        return self._picked(self._decoding(run))[1]

    def _picked(self, decoding: Decoding) -> tuple[DecodeOptions, str | None]:
        way = chosen(decoding, self.options, self.limit.bytes)
        return way, picked(decoding, self.options, way, self.limit.bytes)

    def _before_decoding(self, run: Run, texts: Sequence[TextLength]) -> Iterator[Phase]:
        sizes = list(sizes_by_component(run, self.settings, texts))
        apart = {Component.VAE_ENCODER, Component.VAE_DECODER}
        yield from phases((one for one in sizes if one[0] not in apart), self.limit.engines)
        for component, axes in sizes:
            if component is Component.VAE_ENCODER:
                chunk = chunk_frames(self.settings.temporal_compression)
                need, _ = fitting_encoding(self.limit.engines[component], axes, chunk, self.limit.bytes)
                yield Phase(name="encoding pictures", component=component, need=need)

    def _decoding(self, run: Run) -> Decoding:
        grid = run.passes[-1].grid(self.settings)
        return self._with(LatentSize(frames=grid.frames, rows=grid.rows, columns=grid.columns), run.num_videos)

    def _with(self, size: LatentSize, videos: int) -> Decoding:
        engine = self.limit.engines[Component.VAE_DECODER]
        return Decoding(engine=engine, settings=self.settings, latents=size, videos=videos)

    def _remedies(self, run: Run, texts: Sequence[TextLength], phase: Phase) -> list[str]:
        engines = smaller_engines(self.limit.engines[phase.component], phase.component.spoken)
        if phase.component is Component.TEXT_ENCODER:
            return ["a shorter prompt", *engines]
        if phase.component is Component.VAE_ENCODER:
            return ["a smaller size", "less of the videos to be shown", *engines]
        return [*self._smaller(run, texts), *engines]

    def _smaller(self, run: Run, texts: Sequence[TextLength]) -> list[str]:
        frames = self._most_frames(run, texts)
        fewer = [] if frames is None else [f"at most {frames} frames"]
        others = {
            "one video at a time": dataclasses.replace(run, num_videos=1),
            "a single pass": dataclasses.replace(run, passes=run.passes[:1]),
        }
        helps = [name for name, other in others.items() if other != run and self._fits(other, texts)]
        return [*fewer, "a smaller size", *helps]

    def _most_frames(self, run: Run, texts: Sequence[TextLength]) -> int | None:
        """The longest video that fits at this size, or None where none does that has what it should show."""
        unit = self.settings.temporal_compression
        needed = max((item.frame + item.frames for item in run.conditions), default=1)
        least, most = -(-(needed - 1) // unit), (run.num_frames - 1) // unit
        if least >= most or not self._fits(_with_frames(run, least * unit + 1), texts):
            return None
        while most - least > 1:
            middle = (least + most) // 2
            if self._fits(_with_frames(run, middle * unit + 1), texts):
                least = middle
            else:
                most = middle
        return least * unit + 1

    def _fits(self, run: Run, texts: Sequence[TextLength]) -> bool:
        needs = (phase.need for phase in self._before_decoding(run, texts))
        is_small = all(need is None or need.own <= self.limit.bytes for need in needs)
        return is_small and fitting(self._decoding(run), self.options, self.limit.bytes) is not None


def _with_frames(run: Run, frames: int) -> Run:
    passes = tuple(dataclasses.replace(part, num_frames=frames) for part in run.passes)
    return dataclasses.replace(run, num_frames=frames, passes=passes)
