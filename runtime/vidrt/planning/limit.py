"""What a memory limit makes of a request: the first way that fits, or a sentence that says what would."""

import dataclasses
from collections.abc import Callable, Iterable, Sequence

from vidrt_engines.manifest import Engine
from vidrt_engines.names import Backend, Precision

from vidrt.errors import RequestError
from vidrt.pipelines.decode_options import DecodeOptions
from vidrt.planning.calibration import PROCESS
from vidrt.planning.decoding import Decoding
from vidrt.planning.phases import Phase
from vidrt.planning.report import spoken

_SMALLER = "a smaller or shorter video"
_HALVES = {Precision.FP16, Precision.BF16}


def check_limit(limit: int) -> None:
    """Finds a limit that nothing can keep.

    Raises:
        RequestError: it is less than what a process takes that does nothing.
    """
    if limit < PROCESS:
        raise RequestError(
            f"A memory limit of {spoken(limit)} is less than the {spoken(PROCESS)} that vidrt itself takes: give more."
        )


def fitting(decoding: Decoding, options: DecodeOptions, limit: int) -> DecodeOptions | None:
    """The first way of decoding that fits, or None."""
    return next((way for way in decoding.ways(options) if decoding.need(way).own <= limit), None)


def chosen(
    decoding: Decoding, options: DecodeOptions, limit: int, remedies: Callable[[], Sequence[str]] = lambda: (_SMALLER,)
) -> DecodeOptions:
    """The first way of decoding that fits.

    Args:
        decoding: what is decoded.
        options: what is asked for.
        limit: in bytes.
        remedies: what would make the video smaller, each as in "take …".

    Raises:
        RequestError: none does, or not the one that is asked for.
    """
    if (way := fitting(decoding, options, limit)) is not None:
        return way
    raise RequestError(_over_decoding(decoding, options, limit, remedies()))


def picked(decoding: Decoding, options: DecodeOptions, way: DecodeOptions, limit: int) -> str | None:
    """Says in a line why not the way that there is without a limit was taken, or None."""
    if way == options:
        return None
    before, now = decoding.need(options).own, decoding.need(way).own
    return (
        f"Decoding in tiles of {way.tiles}, which takes {spoken(now)} by estimate: whole frames would take "
        f"{spoken(before)}, and the limit is {spoken(limit)}."
    )


def refuse_over(phases: Iterable[Phase], limit: int, remedies: Callable[[Phase], Sequence[str]]) -> None:
    """Refuses a phase that cannot be cut smaller.

    Args:
        phases: of a request, all known.
        limit: in bytes.
        remedies: what would make a phase smaller, each as in "take …".

    Raises:
        RequestError: the first that is over the limit.
    """
    known = [(phase, phase.need.own) for phase in phases if phase.need is not None]
    for phase, own in known:
        if own > limit:
            raise RequestError(over(phase.name, own, limit, remedies(phase), max(taken for _, taken in known)))


def over(what: str, own: int, limit: int, remedies: Sequence[str], least: int = 0) -> str:
    """A sentence: what is over the limit, and what would help; `least` is what others take besides."""
    *others, last = [*remedies, f"a limit of {_rounded_up(max(own, least))}"]
    helps = f"{', '.join(others)} or {last}" if others else last
    told = f"{what[0].upper()}{what[1:]} would take {spoken(own)} of memory by estimate"
    return f"{told}, and the limit is {spoken(limit)}: take {helps}."


def smaller_engines(engine: Engine, name: str) -> list[str]:
    """Which other engine of a component would take less memory of its own."""
    if engine.backend is Backend.OPENVINO:
        return ["--backend onnxruntime, which leaves weights in their file"]
    if engine.precision is Precision.GGUF:
        return [f"a {name} that is of no GGUF file, whose weights stay in their file"]
    return [f"a {name} in int8"] if engine.precision in _HALVES else []


def _over_decoding(decoding: Decoding, options: DecodeOptions, limit: int, remedies: Sequence[str]) -> str:
    """Says what of decoding is over the limit: its smallest way, or what was asked for where another fits."""
    others = {
        "one video after the other": dataclasses.replace(options, slicing=True),
        "an MP4 alone, which keeps no frames": dataclasses.replace(options, keeps_frames=False),
    }
    helps = [name for name, way in others.items() if way != options and fitting(decoding, way, limit) is not None]
    if options.tiles is not None:
        free = fitting(decoding, dataclasses.replace(options, tiles=None), limit)
        helps += [] if free is None else [f"tiles of {free.tiles}" if free.tiles else "no tiles"]
        what, own = f"decoding in tiles of {options.tiles}", decoding.need(options).own
    else:
        smallest = min(decoding.ways(options), key=lambda way: decoding.need(way).own)
        own = decoding.need(smallest).own
        what = "decoding" if smallest.tiles is None else f"decoding even in tiles of {smallest.tiles}"
    return over(what, own, limit, helps or remedies)


def _rounded_up(own: int) -> str:
    """Bytes with three figures, such that a limit of them is not below."""
    unit, name = (10**9, "GB") if own >= 10**9 else (10**6, "MB")
    hundredths = -(-own * 100 // unit)
    return f"{hundredths / 100:g}{name}"
