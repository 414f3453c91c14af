"""What files a repository has at a commit: as the hub says, or offline as the cache has them."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from huggingface_hub import HfApi
from huggingface_hub.hf_api import RepoSibling

from vidrt_export.hub.errors import HubError, one_sentence
from vidrt_export.hub.place import CALLER, Place

_CHUNK = 1 << 20
_SHA256_DIGITS = 64


@dataclass(frozen=True, kw_only=True)
class HubFile:
    """One file of a repository.

    Attributes:
        path: its path there.
        bytes: its size.
        name: SHA-256 of its bytes where the hub stores it apart, else git's name for them; "" where it is not known.
    """

    path: str
    bytes: int
    name: str

    def name_of(self, path: Path) -> str:
        """The name that the bytes of a file on this machine would have; reads all of them."""
        digest = hashlib.sha256() if len(self.name) == _SHA256_DIGITS else _git_digest(path)
        with path.open("rb") as file:
            while chunk := file.read(_CHUNK):
                digest.update(chunk)
        return digest.hexdigest()


@dataclass(frozen=True, kw_only=True)
class Listing:
    """The files of a repository at a commit."""

    repo: str
    commit: str
    files: Mapping[str, HubFile]


def list_files(place: Place, repo: str, revision: str | None) -> Listing:
    """Asks the hub, or offline the cache; what a branch stands for is kept for times offline.

    Raises:
        CheckpointError: no such repository or revision, one that may not be read, or offline one that is not there.
        HubError: the hub cannot be reached, has trouble, or does not say enough.
    """
    api = HfApi(endpoint=place.endpoint, token=place.token, **CALLER)
    with one_sentence(place, repo, revision):
        found = api.resolve_revision(repo, revision=revision, cache_dir=place.cache, local_files_only=place.offline)
        commit = found.resolved
        if place.offline:
            return Listing(repo=repo, commit=commit, files=_cached(place.snapshot(repo, commit)))
        siblings = api.model_info(repo, revision=commit, files_metadata=True).siblings or []
    files = {file.path: file for file in map(_of_sibling, siblings)}
    if not all(file.name for file in files.values()):
        raise HubError(f"The hub at {place.endpoint} does not tell files' hashes: set HF_ENDPOINT to one that does.")
    return Listing(repo=repo, commit=commit, files=files)


def _of_sibling(sibling: RepoSibling) -> HubFile:
    if sibling.lfs:
        return HubFile(path=sibling.rfilename, bytes=sibling.lfs.size, name=sibling.lfs.sha256)
    return HubFile(path=sibling.rfilename, bytes=sibling.size or 0, name=sibling.blob_id or "")


def _cached(snapshot: Path) -> dict[str, HubFile]:
    paths = (path for path in snapshot.rglob("*") if path.is_file())
    files = (HubFile(path=path.relative_to(snapshot).as_posix(), bytes=path.stat().st_size, name="") for path in paths)
    return {file.path: file for file in files}


def _git_digest(path: Path) -> "hashlib._Hash":
    """Git names a file by the SHA-1 of its kind, its length and its bytes."""
    return hashlib.sha1(b"blob %d\0" % path.stat().st_size, usedforsecurity=False)
