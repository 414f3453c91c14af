"""`--local-weights`, `--unified-weights`, `--model-id`: a checkpoint's bundle, built once by the exporter and kept."""

import hashlib
import re
import subprocess
import sys
from pathlib import Path

from vidrt_engines.errors import BundleError
from vidrt_engines.manifest import read_bundle
from vidrt_engines.names import COMPONENTS, Component
from vidrt_engines.places import built_bundles

from vidrt.errors import EngineError, RequestError
from vidrt.progress import Progress

_LONGEST_NAME = 100


def bundle_of(
    source: Path, version: str | None, progress: Progress, *, quiet: bool, use_bf16_t5: bool = False,
    upscaler: str | None = None,
) -> Path:  # fmt: skip
    """The bundle of a diffusers folder; built if there is none yet, or if the folder's files have changed.

    The exporter runs as a command of its own, so PyTorch stays out of this process. With `use_bf16_t5` the bundle is
    one whose text encoder is the folder's own, and not a GGUF file that lies in it; with an `upscaler`, a file, a
    folder or a name of the hub, it is one that has this one for a second pass.

    Raises:
        RequestError: the folder is not there.
        SystemExit: `build-engines` stopped and has said why; its status is handed on.
        EngineError: `build-engines` was ended from outside.
    """
    if not source.is_dir():
        raise RequestError(f"{source} is no folder: give the one that diffusers' save_pretrained wrote.")
    name = f"{source.resolve().name}-{_fingerprint(source)}{'-bf16-t5' * use_bf16_t5}"
    more = [*_versioned(version), *(["--use-bf16-t5"] if use_bf16_t5 else [])]
    return _built(str(source), name, more, progress, quiet=quiet, upscaler=upscaler)


def bundle_of_file(
    source: Path, version: str | None, progress: Progress, *, quiet: bool, upscaler: str | None = None
) -> Path:
    """The bundle of an official single file; built if there is none yet, or if the file has changed.

    Raises:
        RequestError: the file is not there.
        SystemExit, EngineError: as for a folder.
    """
    if not source.is_file():
        raise RequestError(f"{source} is no file: give an official .safetensors file, or a folder as --local-weights.")
    name = f"{source.stem[:_LONGEST_NAME]}-{_short_hash(_line(source.resolve()))}"
    return _built(str(source), name, _versioned(version), progress, quiet=quiet, upscaler=upscaler)


def bundle_of_model(
    model: str, revision: str | None, version: str | None, progress: Progress, *, quiet: bool,
    upscaler: str | None = None,
) -> Path:  # fmt: skip
    """The bundle of a model of the hub; downloaded and built if there is none yet, and then never asked for again.

    Raises:
        RequestError: there is a folder or file of that name.
        SystemExit, EngineError: as for a folder.
    """
    if Path(model).exists():
        raise RequestError(f"{model} is here: give it as --local-weights, or run the command in another folder.")
    spoken = re.sub(r"[^\w.-]+", "-", model).strip("-")[:_LONGEST_NAME]
    more = [*_versioned(version), *(["--revision", revision] if revision else [])]
    name = f"{spoken}-{_short_hash(f'{model} {revision}')}"
    return _built(model, name, more, progress, quiet=quiet, upscaler=upscaler)


def _built(
    source: str, name: str, options: list[str], progress: Progress, *, quiet: bool, upscaler: str | None
) -> Path:
    if upscaler is not None:
        name, options = f"{name}-upscaler-{_told(upscaler)}", [*options, "--upscaler", upscaler]
    bundle = built_bundles() / name
    if not _is_whole(bundle):
        progress.note(f"building {bundle}")
        _build(source, bundle, options, quiet=quiet)
    return bundle


def _told(upscaler: str) -> str:
    """A name for an upscaler: for its folder or file as it is now, or for the hub's name."""
    path = Path(upscaler)
    if path.is_dir():
        return _fingerprint(path)
    return _short_hash(_line(path.resolve()) if path.is_file() else upscaler)


def _versioned(version: str | None) -> list[str]:
    return ["--ltxv-version", version] if version else []


def _fingerprint(source: Path) -> str:
    """A name for a folder as it is now: its path, and each file's name, size and time of change."""
    files = sorted(path for path in source.resolve().rglob("*") if path.is_file())
    return _short_hash("".join(map(_line, files)))


def _line(path: Path) -> str:
    return f"{path} {path.stat().st_size} {path.stat().st_mtime_ns}\n"


def _short_hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def _is_whole(bundle: Path) -> bool:
    try:
        manifest = read_bundle(bundle)
    except BundleError:
        return False
    # the upsampler is not every checkpoint's, and is built before the last one
    needed = set(COMPONENTS[manifest.family]) - {Component.LATENT_UPSAMPLER}
    return all(component in manifest.engines for component in needed)


def _build(source: str, bundle: Path, options: list[str], *, quiet: bool) -> None:
    command = [sys.executable, "-m", "vidrt_export", source, "--out", str(bundle), *options]
    command += ["--quiet"] if quiet else []
    status = subprocess.run(command, check=False).returncode  # noqa: S603 - our own command, no shell
    if status < 0:
        raise EngineError(f"build-engines was ended by signal {-status}; run the same command again to resume.")
    if status:
        raise SystemExit(status)
