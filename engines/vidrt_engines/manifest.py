"""`bundle.json`: the only contract between the exporter and the runtime."""

import dataclasses
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from vidrt_engines.errors import BundleError
from vidrt_engines.jsonable import decode, encode, read_json
from vidrt_engines.memory import Activations
from vidrt_engines.names import Backend, Component, Family, Precision
from vidrt_engines.operations import Operations
from vidrt_engines.profiles import Span
from vidrt_engines.settings import LtxSettings
from vidrt_engines.svd_settings import SvdSettings
from vidrt_engines.tensors import TensorSpec

FORMAT = 1
MANIFEST = "bundle.json"

Settings = LtxSettings | SvdSettings
_SETTINGS: dict[Family, type[Settings]] = {Family.LTX_VIDEO: LtxSettings, Family.SVD: SvdSettings}


@dataclass(frozen=True, kw_only=True)
class BundleFile:
    """A file of a bundle: its path relative to the bundle's folder, with forward slashes, its size and its hash."""

    path: str
    bytes: int
    sha256: str


@dataclass(frozen=True, kw_only=True)
class Stage:
    """A graph that does a part of what an engine does, on some frames of a video after the other: see `streaming`.

    Attributes:
        file: its path, one of the engine's files.
        inputs, outputs: its tensors.
        first_frames: how many frames the first chunk of a video has at least, unless it is the whole video.
        activations: what a run takes in memory; None in bundles that were built before it was counted.
        operations: how many a run takes between two chunks; None likewise.
    """

    file: str
    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]
    first_frames: int
    activations: Activations | None = None
    operations: Operations | None = None


@dataclass(frozen=True, kw_only=True)
class Engine:
    """One component, ready to be played by one backend.

    Attributes:
        files: the first is the one to open; the others lie where it expects them.
        inputs, outputs: its tensors.
        key: all that makes it valid or not, by name; a different value of any means a new build.
        profiles: for a backend whose engines are built for certain sizes, a span for each named axis; several may be
            there.
        options: what build-engines was told of these sizes, for a command that builds the engine again.
        stages: graphs that do the same one after the other, for a video that passes by; none where it cannot.
        activations: what a run takes in memory; None in bundles that were built before it was counted.
        operations: how many a run takes, and a video that passes through the stages; None likewise.
    """

    backend: Backend
    precision: Precision
    files: tuple[BundleFile, ...]
    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]
    key: dict[str, str]
    profiles: tuple[dict[str, Span], ...] = ()
    options: tuple[str, ...] = ()
    stages: tuple[Stage, ...] = ()
    activations: Activations | None = None
    operations: Operations | None = None

    @property
    def identity(self) -> str:
        """What tells it from every engine that computes something else, or computes it otherwise."""
        return json.dumps([self.backend, self.precision, self.key], sort_keys=True)


@dataclass(frozen=True, kw_only=True)
class Bundle:
    """A bundle's manifest.

    Attributes:
        format: the version of this file's format.
        model_version: which of `vidrt_engines.versions` the checkpoint is.
        settings: the pipeline's settings, of the family's kind.
        tokenizer: the tokenizer's file, where the family has prompts.
        engines: by component; empty while a build is unfinished.
        note: a sentence shown wherever the bundle is used.
    """

    format: int
    family: Family
    model_version: str
    settings: Settings
    tokenizer: BundleFile | None = None
    engines: dict[str, tuple[Engine, ...]] = field(default_factory=dict)
    note: str | None = None

    @property
    def ltx(self) -> LtxSettings:
        """The settings of a bundle that is known to be LTX-Video's."""
        assert isinstance(self.settings, LtxSettings)
        return self.settings

    @property
    def svd(self) -> SvdSettings:
        """The settings of a bundle that is known to be Stable Video Diffusion's."""
        assert isinstance(self.settings, SvdSettings)
        return self.settings

    def with_engine(self, component: Component, engine: Engine) -> "Bundle":
        """The same bundle with an engine: in the place of one of its backend and precision, else before the others.

        A run takes the first, which so is the last that was asked for in a new precision.
        """
        there = self.engines.get(component, ())
        if _slot(engine) in map(_slot, there):
            group = tuple(engine if _slot(other) == _slot(engine) else other for other in there)
        else:
            group = (engine, *there)
        return dataclasses.replace(self, engines={**self.engines, component: group})

    def files(self) -> list[BundleFile]:
        """Every file that belongs to the bundle, but bundle.json itself."""
        engines = [file for group in self.engines.values() for engine in group for file in engine.files]
        return [*engines, *([self.tokenizer] if self.tokenizer else [])]


def read_bundle(folder: Path) -> Bundle:
    """Reads and checks a bundle's manifest: format, fields, paths, and that its files are there in their sizes.

    Raises:
        BundleError: what is wrong, and the command that mends it.
    """
    bundle = read_manifest(folder)
    for file in bundle.files():
        _check_file(folder, file)
    return bundle


def read_manifest(folder: Path) -> Bundle:
    """Reads a bundle's manifest alone, to tell of a bundle whose files are damaged.

    Raises:
        BundleError: what is wrong with the manifest, and the command that mends it.
    """
    path = folder / MANIFEST
    if not path.is_file():
        raise BundleError(f"{folder} is no bundle: it has no {MANIFEST}; make one with build-engines.")
    content = read_json(path)
    _check_format(content, path)
    bundle = decode(Bundle, _with_settings(content), MANIFEST)
    if empty := [name for name, group in bundle.engines.items() if not all(engine.files for engine in group)]:
        raise BundleError(f"{path} names no files of its {empty[0]}; build the bundle again with build-engines.")
    _check_stages(bundle, path)
    return bundle


def _check_stages(bundle: Bundle, path: Path) -> None:
    for name, group in bundle.engines.items():
        for engine in group:
            strange = {stage.file for stage in engine.stages} - {file.path for file in engine.files}
            if strange:
                raise BundleError(
                    f"{path} has a stage of its {name} in {min(strange)}, which is no file of it; "
                    f"build the bundle again with build-engines."
                )


def _with_settings(content: object) -> object:
    """Reads the settings as what the family has."""
    if not isinstance(content, Mapping) or not {"family", "settings"} <= content.keys():
        return content  # which then is refused
    family = decode(Family, content["family"], f"{MANIFEST}.family")
    return {**content, "settings": decode(_SETTINGS[family], content["settings"], f"{MANIFEST}.settings")}


def write_bundle(folder: Path, bundle: Bundle) -> None:
    """Writes the manifest so that a reader sees the old one or the new one, whenever the power fails."""
    text = json.dumps(encode(bundle), indent=1, ensure_ascii=False)
    beside = folder / f".{MANIFEST}.{os.getpid()}"
    with beside.open("w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    beside.replace(folder / MANIFEST)


def bundle_path(folder: Path, relative: str) -> Path:
    """The place of a bundle's file.

    Raises:
        BundleError: the path is absolute or leaves the bundle's folder.
    """
    pure = PurePosixPath(relative)
    leaves = pure.is_absolute() or ".." in pure.parts or any(letter in relative for letter in "\\:\0")
    if leaves or not (folder / relative).resolve().is_relative_to(folder.resolve()):
        raise BundleError(f"{folder / MANIFEST} names '{relative}', which leaves the bundle; do not use this bundle.")
    return folder / relative


def _slot(engine: Engine) -> tuple[Backend, Precision]:
    return engine.backend, engine.precision


def _check_format(content: object, path: Path) -> None:
    found = content.get("format") if isinstance(content, Mapping) else None
    if not isinstance(found, int) or found < 1:
        raise BundleError(f"{path} has no format number; build the bundle again with build-engines.")
    if found > FORMAT:
        raise BundleError(
            f"{path} has format {found} and this vidrt reads up to {FORMAT}; upgrade with pip install -U vidrt."
        )


def _check_file(folder: Path, file: BundleFile) -> None:
    path = bundle_path(folder, file.path)
    if not path.is_file():
        raise BundleError(f"{folder} lacks its file {file.path}; build the bundle again with build-engines.")
    if (size := path.stat().st_size) != file.bytes:
        raise BundleError(
            f"{file.path} in {folder} should have {file.bytes} bytes and has {size}; "
            f"build the bundle again with build-engines."
        )
