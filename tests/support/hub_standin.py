"""A hub on this machine: the part of the Hugging Face hub's HTTP interface that its own client needs to download.

It serves folders as repositories from one address and their large files from another, as the real one does, and can be
told to fail in the ways that networks and hubs do. What it was asked is kept in `requests`.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Self
from urllib.parse import unquote, urlsplit

from hub_handler import CACHE, Server
from hub_repository import Repository
from hub_state import Asked, State

if TYPE_CHECKING:
    from pathlib import Path


class StandIn(State):
    """The hub; a context manager that serves while it is open."""

    def __init__(self) -> None:
        super().__init__()
        self._servers = [Server(self, half) for half in ("hub", "store")]
        self.endpoint, self.store = (f"http://127.0.0.1:{server.server_port}" for server in self._servers)

    def __enter__(self) -> Self:
        for server in self._servers:
            threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.closing.set()
        for server in self._servers:
            server.shutdown()
            server.server_close()

    def add(self, name: str, folder: Path) -> Repository:
        """Serve a folder as it is now."""
        self.repositories[name] = Repository(folder)
        return self.repositories[name]

    def downloads(self) -> list[str]:
        """The files whose bytes were asked for: small ones at the hub, then large ones at the store."""
        gets = [ask for ask in self.requests if ask.method == "GET"]
        small = (_file(ask, 7) for ask in gets if ask.path.startswith(CACHE))
        large = (_file(ask, 2) for ask in gets if ask.half == "store")
        return [*small, *large]


def _file(ask: Asked, slashes: int) -> str:
    return unquote(urlsplit(ask.path).path).split("/", slashes)[-1]
