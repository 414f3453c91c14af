"""How the hub of the tests answers: its interface at one address, its store of large files at another."""

from __future__ import annotations

import json
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, quote, unquote, urlsplit

from hub_repository import LARGE, git_name, sha256
from hub_state import Asked

if TYPE_CHECKING:
    from hub_repository import Repository
    from hub_state import State

CACHE = "/api/resolve-cache/models/"  # where the hub sends on to for small files


class Server(ThreadingHTTPServer):
    """One half of the hub."""

    daemon_threads = True

    def __init__(self, hub: State, half: str) -> None:
        self.hub, self.half = hub, half
        super().__init__(("127.0.0.1", 0), _Handler)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Server

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
        elif self.path.startswith(CACHE):
            self._small()
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
            self._json([repository.tree_entry(path) for path in repository.files])
            return
        blobs = "blobs" in parse_qs(urlsplit(self.path).query) and not self.server.hub.faults.tells_no_hashes
        siblings = [repository.entry(path) if blobs else {"rfilename": path} for path in repository.files]
        self._json({"id": name, "sha": commit, "private": False, "tags": [], "siblings": siblings})

    def _resolve(self) -> None:
        """`/OWNER/NAME/resolve/REVISION/PATH`: small files are at another path, large ones at the store."""
        parts = [unquote(part) for part in urlsplit(self.path).path.split("/")[1:]]
        name, path = "/".join(parts[:2]), "/".join(parts[4:])
        found = self._open(name, parts[3]) if parts[2:3] == ["resolve"] else self._refuse(404, {})
        if found is None or self._is_gated(name):
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
            self._send(307, b"", {"Location": quote(f"{CACHE}{name}/{commit}/{path}")})

    def _small(self) -> None:
        """`/api/resolve-cache/models/OWNER/NAME/COMMIT/PATH`."""
        owner, name, commit, path = unquote(self.path.removeprefix(CACHE)).split("/", 3)
        data = self.server.hub.repositories[f"{owner}/{name}"].files[path]
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
        elif revision not in repository.revisions:
            self._refuse(404, {"X-Error-Code": "RevisionNotFound"})
        else:
            return repository, repository.revisions[revision]
        return None

    def _is_gated(self, name: str) -> bool:
        """Whether a repository's files, which anyone may list, are not for the caller."""
        token, wanted = self.headers.get("Authorization", ""), self.server.hub.gated.get(name)
        if wanted is None or token == f"Bearer {wanted}":
            return False
        self._refuse(403 if token else 401, {"X-Error-Code": "GatedRepo"})
        return True

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
