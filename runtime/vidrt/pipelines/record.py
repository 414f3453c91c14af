"""The record of a run: all that repeats it."""

import dataclasses
from collections.abc import Mapping, Sequence

from vidrt_engines.jsonable import encode
from vidrt_engines.manifest import Bundle

from vidrt.components.base import EngineComponent
from vidrt.conditioning.item import SettledCondition
from vidrt.pipelines.ltx_video.request import Run
from vidrt.pipelines.ltx_video.step_cache import CachedPass
from vidrt.pipelines.svd.request import SvdRun

_IN_PASSES = frozenset({"schedule", "guidance", "second_pass"})  # each pass has its own


def run_record(
    run: Run | SvdRun, bundle: Bundle, components: Mapping[str, EngineComponent], cached: Sequence[CachedPass] = ()
) -> dict[str, object]:
    """Describes a run in plain values, in the order in which a reader looks for them.

    Args:
        run: what was made.
        bundle: what made it.
        components: the bundle's that were chosen.
        cached: what the step cache did in each pass that had one.
    """
    from importlib.metadata import version  # not before the first step: it brings an e-mail parser

    values = {field.name: getattr(run, field.name) for field in dataclasses.fields(run)}
    rules = dataclasses.asdict(values.pop("conventions")) if "conventions" in values else {}
    if isinstance(run, Run):
        rules = {name: value for name, value in rules.items() if name not in _IN_PASSES}
        values["passes"] = [dataclasses.asdict(part) for part in run.passes]
        values["conditions"] = [_condition(item) for item in run.conditions]
        values["cached_passes"] = [dataclasses.asdict(part) for part in cached]
    engines = {name: {"device": str(c.engine.device), **c.engine.engine.key} for name, c in components.items()}
    record = {**rules, **values, "engines": engines, "bundle_note": bundle.note}
    return {"vidrt": version("vidrt"), "family": bundle.family, **_plain(record)}


def _condition(item: SettledCondition) -> dict[str, object]:
    return {"media": item.media.name, "frame": item.frame, "strength": item.strength, "frames": item.frames}


def _plain(values: Mapping[str, object]) -> dict[str, object]:
    encoded = encode(values)
    assert isinstance(encoded, dict)
    return encoded
