"""Whom a download tells how it goes."""

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Telling:
    """The two things there are to say.

    Attributes:
        advance: takes how many bytes have come since its last call.
        note: takes a line about something out of the ordinary.
    """

    advance: Callable[[int], object] = lambda _: None
    note: Callable[[str], object] = lambda _: None


SILENT = Telling()
