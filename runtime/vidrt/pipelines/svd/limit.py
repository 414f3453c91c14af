"""Stable Video Diffusion under a memory limit on the CPU: how many frames are decoded at once."""

import dataclasses
from collections.abc import Iterator
from dataclasses import dataclass

from vidrt_engines.names import Component
from vidrt_engines.svd_settings import SvdSettings

from vidrt.errors import RequestError
from vidrt.pipelines.axes import svd_sizes_by_component
from vidrt.pipelines.limit import MemoryLimit
from vidrt.pipelines.svd.request import SvdRun
from vidrt.planning.engines import Need
from vidrt.planning.limit import over, refuse_over, smaller_engines
from vidrt.planning.phases import Phase, phases
from vidrt.planning.report import spoken

_BYTES, _FLOATS = 3, 2 * 3 * 4  # of a pixel as it is kept, and of one that becomes bytes


@dataclass(frozen=True, kw_only=True)
class SvdLimit:
    """Finds what of a request fits.

    Attributes:
        limit: the pipeline's.
        settings: the bundle's.
    """

    limit: MemoryLimit
    settings: SvdSettings

    def fitted(self, run: SvdRun) -> SvdRun:
        """The run with the most frames decoded at once that fit, where it does not say how many.

        Raises:
            RequestError: something is over the limit by every way.
        """
        *before, _ = self.phases(run)
        refuse_over(before, self.limit.bytes, self._remedies)
        for count in self._chunks(run):
            if self._decoding(run, count).own <= self.limit.bytes:
                return run if count == run.num_frames else dataclasses.replace(run, decode_chunk_size=count)
        own = self._decoding(run, count).own
        helps = ["a smaller size", "fewer frames"]
        if run.decode_chunk_size is not None and (fewer := self._fewer(run)):
            helps = [f"a decode chunk size of {fewer}"]
        raise RequestError(over(f"decoding {count} frames at once", own, self.limit.bytes, helps))

    def remark(self, asked: SvdRun, run: SvdRun) -> str | None:
        """Says in a line how a run will be decoded, where it is not as without a limit."""
        if run == asked or run.decode_chunk_size is None:
            return None
        before = self._decoding(asked, asked.num_frames).own
        now = self._decoding(asked, run.decode_chunk_size).own
        return (
            f"Decoding {run.decode_chunk_size} frames at once, which takes {spoken(now)} by estimate: all would take "
            f"{spoken(before)}, and the limit is {spoken(self.limit.bytes)}."
        )

    def phases(self, run: SvdRun) -> list[Phase]:
        """What each phase takes, decoding at last."""
        sizes = svd_sizes_by_component(run, self.settings)
        found = phases((one for one in sizes if one[0] is not Component.VAE_DECODER), self.limit.engines)
        need = self._decoding(run, run.decode_chunk_size or run.num_frames)
        return [*found, Phase(name="decoding", component=Component.VAE_DECODER, need=need)]

    def _chunks(self, run: SvdRun) -> Iterator[int]:
        """The number that is asked for, or all frames, then half as many again and again."""
        count = run.decode_chunk_size or run.num_frames
        yield count
        while run.decode_chunk_size is None and count > 1:
            count = -(-count // 2)
            yield count

    def _fewer(self, run: SvdRun) -> int | None:
        counts = self._chunks(dataclasses.replace(run, decode_chunk_size=None))
        return next((count for count in counts if self._decoding(run, count).own <= self.limit.bytes), None)

    def _decoding(self, run: SvdRun, count: int) -> Need:
        """So many frames at once, beside all that are kept as bytes."""
        part = dataclasses.replace(run, decode_chunk_size=count)
        sizes = [one for one in svd_sizes_by_component(part, self.settings) if one[0] is Component.VAE_DECODER]
        need = phases(sizes, self.limit.engines)[0].need
        assert need is not None  # the limit is refused where a build has not counted it
        pixels = run.height * run.width
        kept = run.num_videos * run.num_frames * pixels * _BYTES + min(count, run.num_frames) * pixels * _FLOATS
        return dataclasses.replace(need, own=need.own + kept)

    def _remedies(self, phase: Phase) -> list[str]:
        engines = smaller_engines(self.limit.engines[phase.component], phase.component.spoken)
        if phase.component is Component.UNET:
            return ["fewer frames", "a smaller size", "one video at a time", *engines]
        return ["a smaller size", *engines]
