"""What can go wrong with the hub, each in one sentence."""

from collections.abc import Iterator
from contextlib import contextmanager
from http import HTTPStatus

import httpx2
from huggingface_hub.errors import (
    GatedRepoError,
    HfHubHTTPError,
    LocalEntryNotFoundError,
    RemoteEntryNotFoundError,
    RevisionNotFoundError,
    RevisionResolutionError,
)
from huggingface_hub.utils import parse_ratelimit_headers
from vidrt_reference.checkpoint.errors import CheckpointError

from vidrt_export.hub.place import Place

_UNKNOWN = {HTTPStatus.UNAUTHORIZED, HTTPStatus.NOT_FOUND}


class HubError(OSError):
    """A download that failed on the way: the same command may well succeed later."""


@contextmanager
def one_sentence(place: Place, repo: str, revision: str | None) -> Iterator[None]:
    """Turns what the hub's library raises into an error that says what to do.

    Raises:
        CheckpointError: a repository or revision that is not there, or may not be read.
        HubError: the hub cannot be reached, has trouble, or asks to wait.
    """
    try:
        yield
    except (HfHubHTTPError, httpx2.TransportError, RevisionResolutionError, LocalEntryNotFoundError) as error:
        raise _explained(error, place, repo, revision) from error


def _explained(error: Exception, place: Place, repo: str, revision: str | None) -> Exception:
    # the last two say that the cache could not help, and their cause why it was asked
    cause = error.__cause__ if isinstance(error, (RevisionResolutionError, LocalEntryNotFoundError)) else error
    if isinstance(cause, HfHubHTTPError):
        wrong = _wrong_request(cause, place, repo, revision)
        return CheckpointError(wrong) if wrong else HubError(_trouble(cause, place, repo))
    if place.offline:
        wanted = f"{repo} at {revision}" if revision else repo
        return CheckpointError(f"HF_HUB_OFFLINE is set and {place.cache} does not have {wanted}: unset it to download.")
    return HubError(
        f"The hub at {place.endpoint} cannot be reached ({reason(cause or error)}): check the network and run the same "
        f"command again, or set HF_HUB_OFFLINE=1 to use what has been downloaded."
    )


def _wrong_request(error: HfHubHTTPError, place: Place, repo: str, revision: str | None) -> str | None:
    """What to ask instead, or None where the same request may succeed later."""
    status = error.response.status_code
    if isinstance(error, GatedRepoError):
        return _gated(place, repo)
    if isinstance(error, RevisionNotFoundError):
        return f"{repo} has no revision {revision!r}: give a branch, a tag or a commit that it has, or leave it out."
    if status == HTTPStatus.UNAUTHORIZED and place.has_token:
        return "The hub does not accept the token: set HF_TOKEN to a valid one, or unset it."
    if status in _UNKNOWN and not isinstance(error, RemoteEntryNotFoundError):
        return (
            f"There is no folder {repo} here, and the hub has no such model or keeps it private: "
            f"check the spelling, or set HF_TOKEN to a token that may read it."
        )
    if status == HTTPStatus.FORBIDDEN:
        return f"The hub forbids to read {repo}: set HF_TOKEN to a token that may."
    return None


def _trouble(error: HfHubHTTPError, place: Place, repo: str) -> str:
    if isinstance(error, RemoteEntryNotFoundError):
        return f"{repo} lists a file and does not give it ({error.response.url.path}): try again later."
    if error.response.status_code == HTTPStatus.TOO_MANY_REQUESTS:
        seconds = asked_pause(error)
        wait = f"in {seconds} seconds" if seconds else "in a few minutes"
        more = "" if place.has_token else "; with HF_TOKEN set more are allowed"
        return f"The hub has had too many requests: run the same command again {wait}{more}."
    return (
        f"The hub has trouble (status {error.response.status_code}): run the same command again later; "
        f"what has come is kept."
    )


def asked_pause(error: HfHubHTTPError) -> int | None:
    """The seconds that the hub asks to wait before the next request, where it does."""
    limits = parse_ratelimit_headers(error.response.headers)
    if limits and not limits.remaining:
        return int(limits.reset_in_seconds)
    asked = error.response.headers.get("Retry-After", "")
    return int(asked) if asked.isdigit() else None


def _gated(place: Place, repo: str) -> str:
    page = f"{place.endpoint}/{repo}"
    if place.has_token:
        return f"{repo} is gated, and the token's account may not read it yet: accept its licence at {page}."
    return f"{repo} is gated: accept its licence at {page}, and set HF_TOKEN to a token of that account."


def reason(error: BaseException) -> str:
    """What a library says of an error, in one line."""
    return (str(error).strip() or type(error).__name__).splitlines()[0].rstrip(".")
