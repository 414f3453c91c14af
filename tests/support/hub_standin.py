"""A hub on this machine: the part of the Hugging Face hub's HTTP interface that its own client needs to download.

It serves folders as repositories from one address and their large files from another, as the real one does, and can be
told to fail in the ways that networks and hubs do. What it was asked is kept in `requests`.
"""

from __future__ import annotations

import hashlib
import json
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Self
from urllib.parse import parse_qs, unquote, urlsplit

if TYPE_CHECKING:
    from pathlib import Path

LARGE = (".safetensors", ".bin", ".model")  # what the hub keeps apart from git


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
        ignores_ranges: whether an answer always holds the whole file.
    """

    statuses: dict[str, tuple[int, int, dict[str, str]]] = field(default_factory=dict)
    cuts: dict[str, list[int]] = field(default_factory=dict)
    stalls: dict[str, int] = field(default_factory=dict)
    damaged: set[str] = field(default_factory=set)
    short: set[str] = field(default_factory=set)
    ignores_ranges: bool = False


class Repository:
    """A folder as a repository with one commit, which `main` and the tag `v1` stand for."""

    def __init__(self, folder: Path) -> None:
        self.files = {
            path.relative_to(folder).as_posix(): path.read_bytes()
            for path in sorted(folder.rglob("*"))
            if path.is_file()
        }
        told = "".join(f"{path} {git_name(data)}\n" for path, data in self.files.items())
        self.commit = hashlib.sha1(told.encode()).hexdigest()  # noqa: S324 - git's
        self.revisions = {"main": self.commit, "v1": self.commit, self.commit: self.commit}

    def entry(self, path: str) -> dict[str, object]:
        """A file as the interface describes it."""
        data = self.files[path]
        entry: dict[str, object] = {"size": len(data), "blobId": git_name(data), "rfilename": path}
        if path.endswith(LARGE):
            entry["lfs"] = {"sha256": sha256(data), "size": len(data), "pointerSize": 134}
        return entry


class StandIn:
    """The hub; a context manager that serves while it is open."""

    def __init__(self) -> None:
        self.repositories: dict[str, Repository] = {}
        self.gated: dict[str, str] = {}  # by repository, the token that may read it
        self.unknown = {"Bearer expired"}
        self.faults = Faults()
        self.requests: list[Asked] = []
        self.closing = threading.Event()
        self._servers = [_Server(self, half) for half in ("hub", "store")]
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
        small = (ask for ask in gets if "/resolve/" in ask.path and not ask.path.endswith(LARGE))
        large = (ask for ask in gets if ask.half == "store")
        return [_file(ask, 5) for ask in small] + [_file(ask, 2) for ask in large]


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, hub: StandIn, half: str) -> None:
        self.hub, self.half = hub, half
        super().__init__(("127.0.0.1", 0), _Handler)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def do_GET(self) -> None:
        self._answer()

    def do_HEAD(self) -> None:
        self._answer()

    def log_message(self, *_: object) -> None:
        """Say nothing."""

    def _answer(self) -> None:
        headers = {name.lower(): value for name, value in self.headers.items()}
        self.server.hub.requests.append(Asked(self.server.half, self.command, self.path, headers))
        if (fault := self._fault()) is not None:
            self._refuse(*fault)
        elif self.server.half == "store":
            self._store()
        elif self.path.startswith("/api/models/"):
            self._api()
        else:
            self._resolve()

    def _fault(self) -> tuple[int, dict[str, str]] | None:
        statuses = self.server.hub.faults.statuses
        for part, (status, times, headers) in statuses.items():
            if part in self.path and times:
                statuses[part] = (status, times - 1, headers)
                return status, headers
        return None

    def _api(self) -> None:
        """`/api/models/OWNER/NAME[/revision/REVISION | /tree/REVISION]`."""
        parts = [unquote(part) for part in urlsplit(self.path).path.split("/")[3:]]
        found = self._open("/".join(parts[:2]), parts[3] if len(parts) > 3 else "main")
        if found is None:
            return
        repository, commit = found
        name = "/".join(parts[:2])
        if parts[2:3] == ["tree"]:
            self._json([_tree_entry(repository, path) for path in repository.files])
            return
        blobs = "blobs" in parse_qs(urlsplit(self.path).query)
        siblings = [repository.entry(path) if blobs else {"rfilename": path} for path in repository.files]
        self._json({"id": name, "sha": commit, "private": False, "tags": [], "siblings": siblings})

    def _resolve(self) -> None:
        """`/OWNER/NAME/resolve/REVISION/PATH`: small files at once, large ones from the store."""
        parts = [unquote(part) for part in urlsplit(self.path).path.split("/")[1:]]
        name, path = "/".join(parts[:2]), "/".join(parts[4:])
        found = self._open(name, parts[3]) if parts[2:3] == ["resolve"] else self._refuse(404, {})
        if found is None:
            return
        repository, commit = found
        data = repository.files.get(path)
        if data is None:
            self._refuse(404, {"X-Error-Code": "EntryNotFound", "X-Repo-Commit": commit})
        elif path.endswith(LARGE):
            linked = {"X-Linked-Etag": f'"{sha256(data)}"', "X-Linked-Size": str(len(data)), "X-Repo-Commit": commit}
            place = f"{self.server.hub.store}/{name.replace('/', '--')}/{path}?signature=of-the-store"
            self._send(302, b"", {"Location": place, "ETag": '"of the redirection"', **linked})
        else:
            self._bytes(path, data, {"ETag": f'"{git_name(data)}"', "X-Repo-Commit": commit})

    def _store(self) -> None:
        """`/OWNER--NAME/PATH`."""
        _, name, path = unquote(urlsplit(self.path).path).split("/", 2)
        data = self.server.hub.repositories[name.replace("--", "/")].files[path]
        self._bytes(path, data, {"ETag": f'"{sha256(data)}"', "Accept-Ranges": "bytes"})

    def _open(self, name: str, revision: str) -> tuple[Repository, str] | None:
        hub = self.server.hub
        repository, token = hub.repositories.get(name), self.headers.get("Authorization", "")
        if token in hub.unknown:
            self._refuse(401, {"X-Error-Message": "Invalid credentials in Authorization header"})
        elif repository is None:
            self._refuse(404 if token else 401, {"X-Error-Code": "RepoNotFound"})
        elif name in hub.gated and token != f"Bearer {hub.gated[name]}":
            self._refuse(403 if token else 401, {"X-Error-Code": "GatedRepo"})
        elif revision not in repository.revisions:
            self._refuse(404, {"X-Error-Code": "RevisionNotFound"})
        else:
            return repository, repository.revisions[revision]
        return None

    def _bytes(self, path: str, data: bytes, headers: dict[str, str]) -> None:
        faults = self.server.hub.faults
        begin, status = 0, 200
        if (asked := self.headers.get("Range")) and not faults.ignores_ranges:
            begin, status = int(asked.removeprefix("bytes=").rstrip("-")), 206
            if begin >= len(data):
                self._refuse(416, {})
                return
            headers = {**headers, "Content-Range": f"bytes {begin}-{len(data) - 1}/{len(data)}"}
        data = bytes([data[0] ^ 1]) + data[1:] if path in faults.damaged else data
        data = data[: len(data) // 2] if path in faults.short else data
        cut = stall = None
        if self.command == "GET":
            cut, stall = (faults.cuts.get(path) or [None]).pop(0), faults.stalls.get(path)
        self._send(status, data[begin:], headers, cut, stall)

    def _refuse(self, status: int, headers: dict[str, str]) -> None:
        self._send(status, b'{"error": "as the test has it"}', {"Content-Type": "application/json", **headers})

    def _json(self, value: object) -> None:
        self._send(200, json.dumps(value).encode(), {"Content-Type": "application/json"})

    def _send(
        self, status: int, body: bytes, headers: dict[str, str], cut: int | None = None, stall: int | None = None
    ) -> None:
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command == "HEAD":
            return
        if stall is not None:
            self.wfile.write(body[:stall])
            self.server.hub.closing.wait(60)
        else:
            self.wfile.write(body[:cut])
        if cut is not None or stall is not None:
            self.close_connection = True


def _tree_entry(repository: Repository, path: str) -> dict[str, object]:
    entry = repository.entry(path)
    found = {"type": "file", "path": path, "size": entry["size"], "oid": entry["blobId"]}
    if isinstance(lfs := entry.get("lfs"), dict):
        found["lfs"] = {"oid": lfs["sha256"], "size": lfs["size"], "pointerSize": lfs["pointerSize"]}
    return found


def sha256(data: bytes) -> str:
    """The hash by which the hub names large files."""
    return hashlib.sha256(data).hexdigest()


def git_name(data: bytes) -> str:
    """The hash by which git names files."""
    return hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest()  # noqa: S324 - git's


def _file(ask: Asked, slashes: int) -> str:
    return unquote(urlsplit(ask.path).path).split("/", slashes)[-1]
