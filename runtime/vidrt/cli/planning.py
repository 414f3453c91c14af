"""What `vidrt plan` and `--dry-run` print."""

from collections.abc import Iterator
from typing import Any

from vidrt_engines.manifest import Engine
from vidrt_engines.names import Backend, Component

from vidrt.components.tiles import Tiles
from vidrt.errors import RequestError
from vidrt.pipelines.base import Pipeline
from vidrt.pipelines.ltx_video.pipeline import LtxVideoPipeline
from vidrt.pipelines.ltx_video.request import Run
from vidrt.pipelines.options import Options
from vidrt.planning import quantised
from vidrt.planning.duration import duration_lines, durations
from vidrt.planning.engines import is_known, weights
from vidrt.planning.machine import free_host_bytes
from vidrt.planning.phases import Phase, Sizes, decoding_ways, phases
from vidrt.planning.report import lines, spoken
from vidrt.seen_times import SeenTimes

_TILES = (Tiles(), Tiles(height=256, width=256), Tiles(height=256, width=256, frames=16))
_FLOAT, _COLOURS = 4, 3


def plan_lines(pipeline: Pipeline, request: Options) -> list[str]:
    """What a request takes, phase by phase, whether it fits here, and how long it takes; nothing is loaded.

    Raises:
        RequestError: the request cannot be right.
    """
    run: Any = pipeline.settled(**request)
    by_component = pipeline.sizes(**request)
    engines = {name: component.engine.engine for name, component in pipeline.components.items()}
    found = phases(by_component, engines)
    decoding = dict(by_component)[Component.VAE_DECODER]
    if isinstance(pipeline, LtxVideoPipeline):
        found += decoding_ways(engines[Component.VAE_DECODER], decoding, pipeline.bundle.ltx, _TILES, run.num_videos)
    free, limit = free_host_bytes(), pipeline.memory_limit
    head = f"{run.height}x{run.width}, {run.num_frames} frames, {run.num_videos} at once, {pipeline.device}"
    there = [] if free is None else [f"{spoken(free)} of memory are free."]
    rows = lines(found, free, limit)
    more = [*_text_encoders(found, engines), *_unmeasured(engines)]
    ends = [*_limited(pipeline, request), *_disk(run, decoding), *there, *more, *_unknown(engines)]
    return [head, *rows, *_resident(found, engines), *ends, *_durations(pipeline, request, run, engines)]


def _durations(pipeline: Pipeline, request: Options, run: Any, engines: dict[str, Engine]) -> Iterator[str]:
    try:
        asked = pipeline.evaluations(**request)
    except RequestError:  # the limit's own line has said so
        return iter(())
    found = durations(asked, engines, SeenTimes(pipeline.place))
    is_at_most = isinstance(run, Run) and any(part.step_cache for part in run.passes)
    return duration_lines(found, is_at_most=is_at_most)


def _resident(found: list[Phase], engines: dict[str, Engine]) -> list[str]:
    """What a service with engines that stay open takes; each phase by itself is in the table."""
    needs = [(phase, phase.need) for phase in found if phase.need is not None]
    ways = [one for one in needs if one[0].component is Component.VAE_DECODER]
    if not ways:
        return []
    kept = sum(one.own + one.mapped for one in map(weights, engines.values()))
    others = max((need.own for phase, need in needs if phase.component is not Component.VAE_DECODER), default=0)
    totals = [f"{phase.name} {spoken(max(need.own, others) + kept)}" for phase, need in ways]
    return [f"With all engines kept open at most: {', '.join(totals)}."]


def _text_encoders(found: list[Phase], engines: dict[str, Engine]) -> list[str]:
    own = next((phase.need.own for phase in found if phase.component is Component.TEXT_ENCODER and phase.need), None)
    return [] if own is None else list(quantised.lines(engines[Component.TEXT_ENCODER], own))


def _unmeasured(engines: dict[str, Engine]) -> list[str]:
    backends = dict.fromkeys(str(engine.backend) for engine in engines.values())
    others = [name for name in backends if name not in (Backend.ONNXRUNTIME, Backend.OPENVINO)]
    return [f"Estimated, not measured, for {' and '.join(others)}."] if others else []


def _limited(pipeline: Pipeline, request: Options) -> list[str]:
    """What a memory limit makes of the request, or what would help; on a device the limit is another."""
    if pipeline.memory_limit is None:
        return []
    try:
        return pipeline.limited(**request) or [f"All of it fits into {spoken(pipeline.memory_limit)}."]
    except RequestError as error:
        return [str(error)]


def _disk(run: Any, decoding: Sizes) -> list[str]:
    frames = run.num_videos * run.num_frames * run.height * run.width * _COLOURS
    return [f"Results take at most {spoken(frames)} of disk as PNG, much less as MP4 or GIF."] if decoding else []


def _unknown(engines: dict[str, Engine]) -> list[str]:
    missing = [name for name, engine in engines.items() if not is_known(engine) or engine.operations is None]
    if not missing:
        return []
    told = f"Not known of {', '.join(missing)}: the bundle is of an older vidrt."
    return [f"{told} Run its build-engines again with the same --out, which adds what is missing."]
