"""Where the upscaler of a second pass lies: where it is asked for, beside the checkpoint, or on the hub."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from vidrt_reference.checkpoint.errors import CheckpointError

from vidrt_export.hub.names import HubName, parse_hub_name
from vidrt_export.sources.locate import Located, hub_planner
from vidrt_export.sources.upscaler import FILES, FOLDER
from vidrt_export.sources.version import two_pass_number

if TYPE_CHECKING:
    from vidrt_engines.names import Precision

    from vidrt_export.console import Console

# Where official upscalers were published.
_OFFICIAL = "Lightricks/LTX-Video"


def locate_upscaler(text: str, precision: Precision | None) -> Located:
    """Finds an upscaler that is asked for.

    Args:
        text: a file, a folder, or OWNER/NAME or OWNER/NAME:FILE of the hub.
        precision: what it will be built in, where that is settled.

    Raises:
        CheckpointError: there is none.
        HubError: the hub cannot be reached or has trouble.
        ImportError: what speaks with the hub is not installed.
    """
    path = Path(text).expanduser()
    if path.exists():
        return Located(path=path)
    name = parse_hub_name(text)
    if name is None:
        raise CheckpointError(
            f"{text} is no folder or file here, nor OWNER/NAME of a model of the hub: give {FILES}, a folder that "
            f"holds {FOLDER}, or such a name as --upscaler."
        )
    return _planned(name, precision)


def upscaler_of_hub(
    checkpoint: Located, version: str | None, precision: Precision | None, console: Console
) -> Located | None:
    """The official upscaler for a checkpoint of the hub that makes two passes and has none in its repository.

    A bundle without one still plays in a single pass, so where it cannot be had that is said and no more.
    """
    number = two_pass_number(version or checkpoint.title or "")
    if checkpoint.download is None or number is None or has_upscaler(checkpoint):
        return None
    try:
        return _planned(HubName(repo=_OFFICIAL, file=f"ltxv-spatial-upscaler-{number}.safetensors"), precision)
    except (CheckpointError, OSError) as error:
        console.note(f"No upscaler for a second pass was found ({str(error).rstrip('.')}): see --upscaler.")
        return None


def has_upscaler(checkpoint: Located) -> bool:
    """Whether an upscaler comes with a checkpoint of the hub."""
    files = [] if checkpoint.download is None else checkpoint.download.files
    return any(FOLDER in file.path or "spatial-upscaler" in file.path for file in files)


def _planned(name: HubName, precision: Precision | None) -> Located:
    download = hub_planner()(name, precision=precision, only_upscaler=True)
    return Located(path=download.path, title=name.title, download=download)
