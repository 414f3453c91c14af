"""How a checkpoint of the hub is spelled: OWNER/NAME, or OWNER/NAME:FILE for one official file of it."""

import re
from dataclasses import dataclass
from pathlib import PurePosixPath

from vidrt_reference.checkpoint.errors import CheckpointError

SUFFIX = ".safetensors"
_WORD = r"\w(?:[\w.-]*\w)?"
_NAME = re.compile(rf"(?P<repo>{_WORD}/{_WORD})(?::(?P<file>.*))?", re.ASCII)
_LONGEST = 96
_REVISION = re.compile(r"[\w.+-]+(?:/[\w.+-]+)*", re.ASCII)


@dataclass(frozen=True, kw_only=True)
class HubName:
    """A checkpoint of the hub.

    Attributes:
        repo: the owner and the repository, with a slash between.
        file: the official single file in it, or None for the folders that diffusers saved.
    """

    repo: str
    file: str | None = None

    def __str__(self) -> str:
        """As it is written on a command line."""
        return f"{self.repo}:{self.file}" if self.file else self.repo

    @property
    def title(self) -> str:
        """What a person would tell the version by: the file's name, else the repository's; in small letters."""
        return (PurePosixPath(self.file).stem if self.file else self.repo.partition("/")[2]).lower()


def parse_hub_name(text: str) -> HubName | None:
    """A name of the hub, or None where the text has not the form of one.

    Raises:
        CheckpointError: a file is named that can be none of a repository's safetensors files.
    """
    match = _NAME.fullmatch(text)
    if match is None or not _is_repo(match["repo"]):
        return None
    file = match["file"]
    if file is not None and not _is_file(file):
        raise CheckpointError(
            f"Expected OWNER/NAME:FILE with a {SUFFIX} file of the repository, but the file is {file!r}: "
            f"give its path there, such as {match['repo']}:model{SUFFIX}."
        )
    return HubName(repo=match["repo"], file=file)


def check_revision(revision: str) -> None:
    """Finds out whether a text can be a branch, a tag or a commit.

    Raises:
        CheckpointError: it cannot.
    """
    if not _REVISION.fullmatch(revision) or ".." in revision:
        raise CheckpointError(f"Expected a branch, a tag or a commit as --revision, not {revision!r}.")


def _is_repo(text: str) -> bool:
    return (
        max(map(len, text.split("/"))) <= _LONGEST
        and "--" not in text
        and ".." not in text
        and not text.endswith((".git", SUFFIX))
    )


def _is_file(text: str) -> bool:
    parts = text.split("/")
    return text.endswith(SUFFIX) and "\\" not in text and not {"", ".", ".."} & set(parts)
