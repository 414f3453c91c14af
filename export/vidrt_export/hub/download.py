"""A checkpoint of the hub: what there is to download, the room it takes, and where it then lies."""

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from huggingface_hub.utils import logging
from vidrt_engines.names import Precision
from vidrt_reference.checkpoint.errors import CheckpointError

from vidrt_export.console import Console
from vidrt_export.hub.choose import Chooser
from vidrt_export.hub.errors import one_sentence
from vidrt_export.hub.fetch import begun_bytes, fetch_file
from vidrt_export.hub.listing import HubFile, Listing, list_files
from vidrt_export.hub.names import HubName, check_revision
from vidrt_export.hub.place import Place
from vidrt_export.hub.telling import Telling
from vidrt_export.sources.version import two_pass_number

MARGIN_BYTES = 64 << 20
_MEGABYTE = 10**6


@dataclass(frozen=True, kw_only=True)
class Download:
    """What a checkpoint consists of, and how much of it is there.

    Attributes:
        place: the hub and its cache.
        name: what was asked for.
        listing: the repository's files.
        files: those that the checkpoint needs.
    """

    place: Place
    name: HubName
    listing: Listing
    files: Sequence[HubFile]

    @property
    def folder(self) -> Path:
        """Where the repository's files appear by their names."""
        return self.place.snapshot(self.listing.repo, self.listing.commit)

    @property
    def path(self) -> Path:
        """The checkpoint: that folder, or the single file in it."""
        return self.folder / self.name.file if self.name.file else self.folder

    @property
    def missing(self) -> list[HubFile]:
        """The files that are not there, or not whole."""
        return [file for file in self.files if not _is_here(self.folder / file.path, file)]

    def missing_bytes(self) -> int:
        """What is still to come."""
        return sum(file.bytes - self._begun(file) for file in self.missing)

    def _begun(self, file: HubFile) -> int:
        return min(begun_bytes(self.place, self.listing.repo, file), file.bytes)

    def lines(self) -> list[str]:
        """As text: a line for each file to come, and one for the sum."""
        head = f"{self.name} at {self.listing.commit[:12]} on {self.place.endpoint}"
        rows = [f"{_megabytes(file.bytes):>12}  {file.path}" for file in self.missing]
        return [head, *rows, f"{_megabytes(self.missing_bytes())} to download into {self.place.cache}"]

    def check_disk(self) -> None:
        """Compares what is to come with what is free.

        Raises:
            CheckpointError: the disk is too full.
        """
        needed = self.missing_bytes()
        existing = next(path for path in (self.place.cache, *self.place.cache.absolute().parents) if path.exists())
        free = shutil.disk_usage(existing).free
        if needed and needed + MARGIN_BYTES > free:
            raise CheckpointError(
                f"The download of {self.name} needs {_megabytes(needed)} and {existing} has {_megabytes(free)} free: "
                f"make room, or set HF_HUB_CACHE to a folder on another disk."
            )

    def run(self, console: Console) -> Path:
        """Downloads what is missing and gives the checkpoint's path.

        Raises:
            CheckpointError: the disk is too full, or the hub refuses.
            HubError: the connection was lost, or a file arrived damaged.
        """
        missing, total = self.missing, self.missing_bytes()
        self.check_disk()
        if missing:
            console.note(f"downloading {len(missing)} files of {self.name}, {_megabytes(total)}")
        with (
            one_sentence(self.place, self.name.repo, None),
            console.bytes_of("downloading", total) as advance,
        ):
            for file in missing:
                fetch_file(self.place, self.listing, file, Telling(advance=advance, note=console.note))
        return self.path


def plan_download(
    name: HubName,
    *,
    revision: str | None = None,
    precision: Precision | None = None,
    text_encoder: bool = True,
    upscaler: bool = True,
    only_upscaler: bool = False,
    version: str | None = None,
    place: Place | None = None,
) -> Download:
    """Settles which files a checkpoint needs; the small ones that say so are downloaded for it.

    Args:
        name: which checkpoint.
        revision: a branch, a tag or a commit, by default the main branch.
        precision: what engines will be built in, where that is settled.
        text_encoder: whether the hub's text encoder is needed.
        upscaler: whether the upscaler is, for versions of two passes.
        only_upscaler: nothing but an upscaler is asked for.
        version: the version of LTX-Video, where the name does not tell it.
        place: the hub, by default the environment's.

    Raises:
        CheckpointError: there is no such checkpoint, it may not be read, or it is of no family known here.
        HubError: the hub cannot be reached or has trouble.
    """
    if revision is not None:
        check_revision(revision)
    logging.set_verbosity_error()  # it warns of what is told here in one sentence
    place = place or Place.of_environment()
    listing = list_files(place, name.repo, revision)
    folder = place.snapshot(name.repo, listing.commit)

    def get(path: str) -> Path:
        if not _is_here(folder / path, listing.files[path]):
            with one_sentence(place, name.repo, revision):
                fetch_file(place, listing, listing.files[path])
        return folder / path

    chooser = Chooser(
        name=name,
        paths=listing.files.keys(),
        get=get,
        is_here=lambda path: path in listing.files and _is_here(folder / path, listing.files[path]),
        precision=precision,
        text_encoder=text_encoder,
        upscaler=two_pass_number(version or name.title) if upscaler else None,
        only_upscaler=only_upscaler,
        cure="HF_HUB_OFFLINE is set: unset it to download the rest" if place.offline else "choose another repository",
    )
    return Download(place=place, name=name, listing=listing, files=[listing.files[path] for path in chooser.chosen()])


def _is_here(path: Path, file: HubFile) -> bool:
    return path.is_file() and path.stat().st_size == file.bytes


def _megabytes(count: int) -> str:
    return f"{count / _MEGABYTE:,.0f} MB" if count >= _MEGABYTE else f"{count / 1000:,.0f} kB"
