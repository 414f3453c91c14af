"""A plan as lines of text."""

from collections.abc import Sequence

from vidrt.planning.engines import Need
from vidrt.planning.phases import Phase

_HEADINGS = ("", "memory", "weights in files", "")


def lines(needed: Sequence[Phase], free: int | None, limit: int | None = None) -> list[str]:
    """A row for each phase, with whether it fits.

    Args:
        needed: the phases.
        free: the memory that is free; None where the system does not say.
        limit: instead of it, for the process's own memory alone.
    """
    rows = [_HEADINGS, *(_row(phase, free, limit) for phase in needed)]
    widths = [max(len(row[column]) for row in rows) for column in range(3)]
    return [
        f"{name:<{widths[0]}}  {own:>{widths[1]}}  {mapped:>{widths[2]}}  {fits}".rstrip()
        for name, own, mapped, fits in rows
    ]


def spoken(count: int) -> str:
    """Bytes as people say them."""
    return f"{count / 1e9:.1f} GB" if count >= 10**9 else f"{count / 1e6:.0f} MB"


def _row(phase: Phase, free: int | None, limit: int | None) -> tuple[str, str, str, str]:
    if phase.need is None:
        return phase.name, "not known", "", ""
    fits = _told(phase.need, free) if limit is None else _within(phase.need, limit)
    return phase.name, spoken(phase.need.own), spoken(phase.need.mapped), fits


def _within(need: Need, limit: int) -> str:
    return "fits" if need.own <= limit else "over the limit"


def _told(need: Need, free: int | None) -> str:
    if free is None:
        return ""
    if need.own > free:
        return "does not fit"
    return "fits" if need.own + need.mapped <= free else "fits, with weights read again and again"
