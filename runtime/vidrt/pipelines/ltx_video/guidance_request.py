"""The guidance that a request asks for, over the version's own, and what a run says of it."""

import dataclasses
import math
from collections.abc import Iterator
from typing import Any

from vidrt_engines.guidance import Guidance, StgMode

from vidrt.errors import RequestError

_OPTIONS = {
    "scales": "guidance scale",
    "stg_scales": "scale of spatio-temporal guidance",
    "rescaling_scales": "rescaling scale",
}


def asked_guidance(
    own: Guidance, *, scale: float | None, stg_scale: float | None, rescaling_scale: float | None, stg_mode: str
) -> Guidance:
    """The version's guidance with what a request has instead; one number stands for all timesteps.

    Raises:
        RequestError: a number that is none, or below zero, or an unknown mode.
    """
    if stg_mode not in list(StgMode):
        raise RequestError(f"stg_mode should be one of {', '.join(StgMode)}, not {stg_mode!r}.")
    asked = {"scales": scale, "stg_scales": stg_scale, "rescaling_scales": rescaling_scale}
    given: dict[str, Any] = {
        name: (_number(_OPTIONS[name], value),) for name, value in asked.items() if value is not None
    }
    if stg_scale and not any(own.blocks):
        raise RequestError(
            "This version of LTX-Video names no blocks for spatio-temporal guidance: leave its scale out, or 0."
        )
    return dataclasses.replace(own, **given, stg_mode=StgMode(stg_mode))


def guidance_remarks(own: Guidance, guidance: Guidance, layers: int) -> Iterator[str]:
    """What a user should know of a run's guidance.

    Args:
        own: the version's.
        guidance: the run's.
        layers: the transformer's depth.
    """
    for name, spoken in _OPTIONS.items():
        before, after = getattr(own, name), getattr(guidance, name)
        if len(before) > 1 and len(after) == 1:
            listed = ", ".join(f"{value:g}" for value in before)
            yield f"The {spoken} {after[0]:g} replaces those of the version, which change by timestep: {listed}."
    if any(guidance.stg_scales) and not layers:
        yield "The bundle is of an older build without spatio-temporal guidance: build it again to have it."
        return
    if not any(guidance.stg_scales) or (guidance.stg_scales, guidance.stg_mode) == (own.stg_scales, own.stg_mode):
        return
    if guidance.stg_mode is StgMode.RESIDUAL:
        yield "The mode 'residual' of spatio-temporal guidance changes nothing, as in the official code."
    elif named := sorted({block for blocks in guidance.blocks for block in blocks if block >= layers}):
        listed = ", ".join(map(str, named))
        yield f"Spatio-temporal guidance leaves out block {listed}: the transformer has {layers}."


def _number(name: str, value: float) -> float:
    if not math.isfinite(value) or value < 0:
        raise RequestError(f"The {name} should be a number from 0 up, not {value}.")
    return float(value)
