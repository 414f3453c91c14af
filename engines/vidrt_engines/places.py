"""Where bundles lie."""

import os
import sys
from pathlib import Path

DEMO_PREFIX = "demo:"
DEFAULT_BUNDLE = "demo:ltx-video"

_PACKAGE = Path(__file__).resolve().parent


def built_bundles() -> Path:
    """The folder for bundles that were built without a place being named.

    `VIDRT_HOME` where it is set, `engines/built` in a checkout, else the user's cache directory.
    """
    if home := os.environ.get("VIDRT_HOME"):
        return Path(home).expanduser()
    root = _PACKAGE.parent
    if root.name == "engines" and (root.parent / "pyproject.toml").is_file():
        return root / "built"
    return _cache() / "vidrt"


def kernel_caches() -> Path:
    """The folder for kernels that are compiled on this machine: below `VIDRT_HOME` if set, else the user's cache."""
    return _home() / "kernels"


def prompt_caches() -> Path:
    """The folder for embeddings of prompts: below `VIDRT_HOME` if set, else the user's cache."""
    return _home() / "prompts"


def seen_times_file() -> Path:
    """The file with how long runs took on this machine: below `VIDRT_HOME` if set, else the user's cache."""
    return _home() / "times.json"


def find_bundle(name: str) -> Path:
    """The folder of a bundle: `demo:NAME` for an embedded one, else a path."""
    if name.startswith(DEMO_PREFIX):
        return _PACKAGE / "demo" / name.removeprefix(DEMO_PREFIX)
    return Path(name).expanduser()


def demo_names() -> list[str]:
    """The embedded bundles, as `--bundle` takes them."""
    return sorted(DEMO_PREFIX + folder.name for folder in (_PACKAGE / "demo").glob("*") if folder.is_dir())


def _home() -> Path:
    home = os.environ.get("VIDRT_HOME")
    return Path(home).expanduser() if home else _cache() / "vidrt"


def _cache() -> Path:
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local")
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches"
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
