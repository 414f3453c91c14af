"""Where a checkpoint lies that a command line names: on this disk, else on the hub."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from vidrt_engines.versions import version_named
from vidrt_reference.checkpoint.errors import CheckpointError

from vidrt_export.hub.names import parse_hub_name

if TYPE_CHECKING:
    from collections.abc import Callable

    from vidrt_engines.names import Precision

    from vidrt_export.console import Console
    from vidrt_export.hub.download import Download


@dataclass(frozen=True, kw_only=True)
class Located:
    """A checkpoint that is here, or can be had from the hub.

    Attributes:
        path: its folder or file.
        title: what tells its version where the path's own name does not, as in the hub's cache.
        download: what brings it, where it is the hub's.
    """

    path: Path
    title: str | None = None
    download: Download | None = None

    def to_come(self) -> list[str]:
        """What would have to be downloaded, as text; nothing where all is here."""
        return self.download.lines() if self.download and self.download.missing else []

    def fetch(self, console: Console) -> Path:
        """The path, downloaded if need be.

        Raises:
            CheckpointError: the disk is too full, or the hub refuses.
            HubError: the connection was lost, or a file arrived damaged.
        """
        return self.download.run(console) if self.download else self.path


def locate(
    source: str,
    *,
    revision: str | None = None,
    precision: Precision | None = None,
    version: str | None = None,
    text_encoder: bool = True,
    upscaler: bool = True,
) -> Located:
    """Finds a checkpoint; what is on this disk comes before a name of the hub that is spelled alike.

    Args:
        source: a path, or OWNER/NAME or OWNER/NAME:FILE of the hub.
        revision: the hub's branch, tag or commit.
        precision: what engines will be built in, where that is asked for.
        version: the version of LTX-Video that is asked for, known or not.
        text_encoder: whether the hub's text encoder is needed.
        upscaler: whether the hub's upscaler is needed, where the version makes two passes.

    Raises:
        CheckpointError: it is neither, or what is asked of it cannot be right.
        HubError: the hub cannot be reached or has trouble.
        ImportError: what speaks with the hub is not installed.
    """
    path = Path(source).expanduser()
    name = None if path.exists() else parse_hub_name(source)
    if name is None:
        if revision is not None:
            raise CheckpointError(f"--revision concerns a model of the hub, and {source} is none: leave it out.")
        if not path.exists():
            raise CheckpointError(
                f"{source} is no folder or file here, nor OWNER/NAME of a model of the hub: "
                f"give a folder that diffusers' save_pretrained wrote, a .safetensors file, or such a name."
            )
        return Located(path=path)
    _check_version(version)
    choice = {"text_encoder": text_encoder, "upscaler": upscaler, "version": version}
    download = hub_planner()(name, revision=revision, precision=precision, **choice)
    return Located(path=download.path, title=name.title, download=download)


def hub_planner() -> Callable[..., Download]:
    """What settles which files of the hub are needed.

    Raises:
        ImportError: what speaks with the hub is not installed.
    """
    try:
        from vidrt_export.hub.download import plan_download
    except ModuleNotFoundError as error:
        raise ImportError(f"{error.name} is not installed; run: pip install 'vidrt[export,hub]'") from error
    return plan_download


def _check_version(version: str | None) -> None:
    """A version that nobody knows should not be found out after gigabytes."""
    if version is None:
        return
    try:
        version_named(version)
    except ValueError as error:
        raise CheckpointError(str(error)) from error
