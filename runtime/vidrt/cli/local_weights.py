"""`--local-weights`: a checkpoint's bundle, built once by the exporter's command and kept."""

import hashlib
import subprocess
import sys
from pathlib import Path

from vidrt_engines.errors import BundleError
from vidrt_engines.manifest import read_bundle
from vidrt_engines.names import COMPONENTS
from vidrt_engines.places import built_bundles

from vidrt.errors import EngineError, RequestError
from vidrt.progress import Progress


def bundle_of(source: Path, version: str | None, progress: Progress, *, quiet: bool) -> Path:
    """The bundle of a diffusers folder; built if there is none yet, or if the folder's files have changed.

    The exporter runs as a command of its own, so PyTorch stays out of this process.

    Raises:
        RequestError: the folder is not there.
        SystemExit: `build-engines` stopped and has said why; its status is handed on.
        EngineError: `build-engines` was ended from outside.
    """
    if not source.is_dir():
        raise RequestError(f"{source} is no folder: give the one that diffusers' save_pretrained wrote.")
    bundle = built_bundles() / f"{source.resolve().name}-{_fingerprint(source)}"
    if not _is_whole(bundle):
        progress.note(f"building {bundle}")
        _build(source, bundle, version, quiet=quiet)
    return bundle


def _fingerprint(source: Path) -> str:
    """A name for a folder as it is now: its path, and each file's name, size and time of change."""
    files = sorted(path for path in source.resolve().rglob("*") if path.is_file())
    lines = (f"{path} {path.stat().st_size} {path.stat().st_mtime_ns}\n" for path in files)
    return hashlib.sha256("".join(lines).encode()).hexdigest()[:12]


def _is_whole(bundle: Path) -> bool:
    try:
        manifest = read_bundle(bundle)
    except BundleError:
        return False
    return all(component in manifest.engines for component in COMPONENTS[manifest.family])


def _build(source: Path, bundle: Path, version: str | None, *, quiet: bool) -> None:
    command = [sys.executable, "-m", "vidrt_export", str(source), "--out", str(bundle)]
    command += ["--ltxv-version", version] if version else []
    command += ["--quiet"] if quiet else []
    status = subprocess.run(command, check=False).returncode  # noqa: S603 - our own command, no shell
    if status < 0:
        raise EngineError(f"build-engines was ended by signal {-status}; run the same command again to resume.")
    if status:
        raise SystemExit(status)
