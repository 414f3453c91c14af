"""One file from the hub into its cache: what was begun goes on, and what has arrived is checked."""

import os
import time
from http import HTTPStatus
from pathlib import Path

import httpx2
from huggingface_hub import constants, hf_hub_download, hf_hub_url
from huggingface_hub.errors import HfHubHTTPError
from huggingface_hub.utils import WeakFileLock, build_hf_headers, get_session, hf_raise_for_status

from vidrt_export.hub.errors import HubError, asked_pause, reason
from vidrt_export.hub.listing import HubFile, Listing
from vidrt_export.hub.place import CALLER, Place
from vidrt_export.hub.telling import SILENT, Telling

_TRIES = 5  # in a row that bring nothing
_LONGEST_PAUSE = 300  # seconds, over which the hub counts requests
_PASSING = {
    HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.INTERNAL_SERVER_ERROR, HTTPStatus.BAD_GATEWAY,
    HTTPStatus.SERVICE_UNAVAILABLE, HTTPStatus.GATEWAY_TIMEOUT,
}  # fmt: skip
# The library itself throws away what came of an interrupted file; files of this ending it clears away when asked to.
_BEGUN = ".vidrt.incomplete"


def begun_bytes(place: Place, repo: str, file: HubFile) -> int:
    """How much of a file an earlier download has brought."""
    path = _begun(place, repo, file)
    return path.stat().st_size if path.is_file() else 0


def fetch_file(place: Place, listing: Listing, file: HubFile, telling: Telling = SILENT) -> None:
    """Downloads a file unless it is there; processes that want the same one wait for each other.

    Raises:
        HubError: what came is not the file; it is removed.
        httpx2.TransportError, HfHubHTTPError: the connection was lost several times in a row, or the hub refused;
            what has come stays for the next time.
    """
    blob, lock = place.blob(listing.repo, file.name), place.lock(listing.repo, file.name)
    for path in (blob, lock):
        path.parent.mkdir(parents=True, exist_ok=True)
    with WeakFileLock(lock):
        if not (blob.is_file() and blob.stat().st_size == file.bytes):
            begun = _begun(place, listing.repo, file)
            _receive(place, listing, file, begun, telling)
            _check(begun, file)
            begun.replace(blob)
    # shows the blob under the file's own name, where every program looks that uses this cache
    shown = hf_hub_download(
        listing.repo, file.path, revision=listing.commit, cache_dir=place.cache, endpoint=place.endpoint,
        token=place.token, **CALLER,
    )  # fmt: skip
    if not Path(shown).is_symlink():  # without symbolic links it is a copy
        blob.unlink(missing_ok=True)


def _begun(place: Place, repo: str, file: HubFile) -> Path:
    return place.blob(repo, file.name + _BEGUN)


def _receive(place: Place, listing: Listing, file: HubFile, begun: Path, telling: Telling) -> None:
    url = hf_hub_url(listing.repo, file.path, revision=listing.commit, endpoint=place.endpoint)
    headers = {**build_hf_headers(token=place.token, **CALLER), "Accept-Encoding": "identity"}
    failures = 0
    begun.touch()
    while (have := begun.stat().st_size) < file.bytes:
        try:
            _append(url, headers, begun, have, telling)
            if begun.stat().st_size == have:  # the hub has no more than that: what is wrong, the check will tell
                return
        except (httpx2.TransportError, HfHubHTTPError) as error:
            failures = 1 if begun.stat().st_size > have else failures + 1
            pause = _pause(error, failures)
            if pause is None:
                raise
            telling.note(f"  {file.path}: {_told(error)}; going on in {pause} s")
            time.sleep(pause)


def _append(url: str, headers: dict[str, str], begun: Path, have: int, telling: Telling) -> None:
    """One request for what is not there yet.

    Where the hub sends on to the place that stores the bytes, the library's session follows, and leaves the token out.
    """
    asked = {**headers, "Range": f"bytes={have}-"} if have else headers
    with (
        get_session().stream("GET", url, headers=asked, timeout=constants.HF_HUB_DOWNLOAD_TIMEOUT) as response,
        begun.open("ab") as target,
    ):
        hf_raise_for_status(response)
        known = 0 if response.status_code == HTTPStatus.PARTIAL_CONTENT else have
        for chunk in response.iter_bytes():
            fresh = chunk[known:]
            known -= len(chunk) - len(fresh)
            if fresh:
                target.write(fresh)
                telling.advance(len(fresh))
        target.flush()
        os.fsync(target.fileno())


def _pause(error: Exception, failures: int) -> int | None:
    """How many seconds to wait before the next try, or None where there should be none."""
    asked = None
    if isinstance(error, HfHubHTTPError):
        if error.response.status_code not in _PASSING:
            return None
        asked = asked_pause(error)
    pause = 2 ** (failures - 1) if asked is None else asked + 1
    return pause if failures < _TRIES and pause <= _LONGEST_PAUSE else None


def _told(error: Exception) -> str:
    if isinstance(error, HfHubHTTPError):
        return f"the hub answers with status {error.response.status_code}"
    return f"the connection was lost ({reason(error)})"


def _check(begun: Path, file: HubFile) -> None:
    if (name := file.name_of(begun)) == file.name:
        return
    begun.unlink()
    raise HubError(
        f"{file.path} arrived damaged: expected bytes of hash {file.name[:12]} and got {name[:12]}; "
        f"they were removed, so run the same command again."
    )
