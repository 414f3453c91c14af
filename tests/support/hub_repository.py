"""A folder as a repository of the hub: one commit, git's names for small files, SHA-256 for large ones."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

LARGE = (".safetensors", ".bin", ".model")  # what the hub keeps apart from git


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

    def tree_entry(self, path: str) -> dict[str, object]:
        """The same as the interface lists trees."""
        entry = self.entry(path)
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
