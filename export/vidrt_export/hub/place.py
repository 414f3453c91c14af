"""Where the hub is and where its cache: what the environment says to every program that uses the hub."""

from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Self

from huggingface_hub import constants
from huggingface_hub.file_download import repo_folder_name
from huggingface_hub.utils import get_token_to_send

# how requests say who asks
CALLER = {"library_name": "vidrt", "library_version": version("vidrt")}


@dataclass(frozen=True, kw_only=True)
class Place:
    """A hub and its cache.

    Attributes:
        endpoint: the hub's address.
        cache: the folder that all programs share which download from the hub.
        offline: whether only the cache may be used.
        token: what to identify by; None for the environment's or the one of `hf auth login`, False for none.
    """

    endpoint: str
    cache: Path
    offline: bool = False
    token: str | bool | None = None

    @classmethod
    def of_environment(cls) -> Self:
        """By HF_ENDPOINT, HF_HOME, HF_HUB_CACHE and HF_HUB_OFFLINE as they were when the library was imported."""
        return cls(endpoint=constants.ENDPOINT, cache=Path(constants.HF_HUB_CACHE), offline=constants.is_offline_mode())

    @property
    def has_token(self) -> bool:
        """Whether requests carry a token."""
        return get_token_to_send(self.token) is not None

    def repo(self, repo: str) -> Path:
        """The folder of a repository."""
        return self.cache / _folder(repo)

    def snapshot(self, repo: str, commit: str) -> Path:
        """The folder that shows a commit's files, as far as they are there, by their names."""
        return self.repo(repo) / "snapshots" / commit

    def blob(self, repo: str, name: str) -> Path:
        """The file of a repository that holds certain bytes, by their hash."""
        return self.repo(repo) / "blobs" / name

    def lock(self, repo: str, name: str) -> Path:
        """What whoever writes that file holds meanwhile."""
        return self.cache / ".locks" / _folder(repo) / f"{name}.lock"


def _folder(repo: str) -> str:
    return str(repo_folder_name(repo_id=repo, repo_type="model"))
