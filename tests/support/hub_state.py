"""What the hub of the tests has, what goes wrong with it, and what it was asked."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from hub_repository import Repository


@dataclass(frozen=True)
class Asked:
    """One request: to which half, how, for what, and with which headers (names in small letters)."""

    half: str
    method: str
    path: str
    headers: dict[str, str]


@dataclass
class Faults:
    """What goes wrong; all of it can be changed while the hub runs.

    Attributes:
        statuses: by a part of a request's path, the status to answer with, how many times, and which headers to add.
        cuts: by a file's path, after how many bytes of each of the next answers the connection is lost.
        stalls: by a file's path, after how many bytes nothing more comes until the hub is closed.
        damaged: files whose first byte is another.
        short: files of which the second half is missing, without a word.
        tells_no_hashes: whether files are listed by their names alone.
        ignores_ranges: whether an answer always holds the whole file.
    """

    statuses: dict[str, tuple[int, int, dict[str, str]]] = field(default_factory=dict)
    cuts: dict[str, list[int]] = field(default_factory=dict)
    stalls: dict[str, int] = field(default_factory=dict)
    damaged: set[str] = field(default_factory=set)
    short: set[str] = field(default_factory=set)
    tells_no_hashes: bool = False
    ignores_ranges: bool = False


@dataclass
class State:
    """What both halves of the hub share."""

    repositories: dict[str, Repository] = field(default_factory=dict)
    gated: dict[str, str] = field(default_factory=dict)  # by repository, the token that may read it
    unknown: set[str] = field(default_factory=lambda: {"Bearer expired"})
    faults: Faults = field(default_factory=Faults)
    requests: list[Asked] = field(default_factory=list)
    closing: threading.Event = field(default_factory=threading.Event)
    store: str = ""
