"""Folders that appear whole or not at all."""

import contextlib
import hashlib
import os
import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from vidrt_engines.manifest import MANIFEST, BundleFile

PARTIAL = ".partial-"


@contextmanager
def partial_folder(bundle: Path, name: str) -> Iterator[Path]:
    """A folder beside its future place; gone again if the body fails, whatever the failure."""
    folder = bundle / f"{PARTIAL}{name}-{os.getpid()}"
    folder.mkdir(parents=True)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def clear_partial_folders(bundle: Path) -> None:
    """Removes what builds that were killed have left."""
    for folder in bundle.glob(f"{PARTIAL}*"):
        shutil.rmtree(folder, ignore_errors=True)
    for manifest in bundle.glob(f".{MANIFEST}.*"):
        manifest.unlink()


def move_into_place(folder: Path, target: Path) -> None:
    """Renames a finished folder to its place and makes the rename last."""
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.rmtree(target, ignore_errors=True)
    folder.rename(target)
    _sync(target.parent)


def share(bundle: Path, file: BundleFile, others: Iterable[BundleFile]) -> None:
    """Lets a file be one with another of the same content, so that the disk holds it once; a copy where it cannot."""
    twin = next((other for other in others if other.sha256 == file.sha256 and other.path != file.path), None)
    if twin is None:
        return
    path = bundle / file.path
    beside = path.with_name(f"{PARTIAL}{path.name}")
    with contextlib.suppress(OSError):
        beside.hardlink_to(bundle / twin.path)
        beside.replace(path)


def described(bundle: Path, path: Path, sha256: str | None = None) -> BundleFile:
    """A file's entry in the manifest."""
    return BundleFile(
        path=path.relative_to(bundle).as_posix(), bytes=path.stat().st_size, sha256=sha256 or file_hash(path)
    )


def file_hash(path: Path) -> str:
    """The SHA-256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _sync(folder: Path) -> None:
    if os.name == "nt":
        return  # folders cannot be opened there
    handle = os.open(folder, os.O_RDONLY)
    os.fsync(handle)
    os.close(handle)
