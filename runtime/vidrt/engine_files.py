"""Whether an engine's files are those that were built: their sizes, how a plan begins, their hashes."""

import hashlib
from collections.abc import Iterator
from pathlib import Path

from vidrt_engines.manifest import BundleFile, Engine, bundle_path
from vidrt_engines.names import Backend

from vidrt.progress import Progress
from vidrt.validity import Invalid

# The first bytes of a serialised engine; nothing else of its header is known without its library.
_BEGINNINGS = {Backend.TENSORRT: b"ftrt", Backend.TENSORRT_RTX: b"vtrt"}
_MEGABYTE = 1_000_000


def check_files(engine: Engine, folder: Path, cure: str) -> Invalid | None:
    """Looks at sizes, and at the first bytes of a plan; reads no weights.

    Args:
        engine: whose files.
        folder: the bundle's.
        cure: a clause that says what to do about a file that is not the one that was built.

    Raises:
        BundleError: the manifest names a file outside of the bundle.
    """
    wrong = (_wrong_size(file, bundle_path(folder, file.path), cure) for file in engine.files)
    return next(filter(None, wrong), None) or _wrong_beginning(engine, folder, cure)


def check_hashes(engine: Engine, folder: Path, cure: str, progress: Progress) -> Invalid | None:
    """Reads whole files and compares their SHA-256 with the manifest's; for the arguments see `check_files`.

    Raises:
        OSError: a file that cannot be read.
    """
    for file in engine.files:
        found = _sha256(bundle_path(folder, file.path), file.path, progress)
        if found != file.sha256:
            expected, here = (f"of SHA-256 {digest[:16]}" for digest in (file.sha256, found))
            return Invalid(field=f"file {file.path}", engine=expected, here=here, cure=cure)
    return None


def _wrong_size(file: BundleFile, path: Path, cure: str) -> Invalid | None:
    size = path.stat().st_size if path.is_file() else None
    if size == file.bytes:
        return None
    here = "missing" if size is None else f"{size:,} bytes"
    return Invalid(field=f"file {file.path}", engine=f"{file.bytes:,} bytes", here=here, cure=cure)


def _wrong_beginning(engine: Engine, folder: Path, cure: str) -> Invalid | None:
    expected = _BEGINNINGS.get(engine.backend)
    if expected is None:
        return None
    first = engine.files[0].path
    with bundle_path(folder, first).open("rb") as file:
        found = file.read(len(expected))
    if found == expected:
        return None
    name = next((f"a plan for {backend}" for backend, begin in _BEGINNINGS.items() if begin == found), "no plan")
    return Invalid(field=f"file {first}", engine=f"a plan for {engine.backend}", here=name, cure=cure)


def _sha256(path: Path, name: str, progress: Progress) -> str:
    digest, total = hashlib.sha256(), path.stat().st_size
    parts = max(1, -(-total // _MEGABYTE))
    with progress.task(f"reading {name}", total=parts, unit="megabyte") as task:
        for piece in _pieces(path):
            digest.update(piece)
            task.advance()
    return digest.hexdigest()


def _pieces(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        while piece := file.read(_MEGABYTE):
            yield piece
