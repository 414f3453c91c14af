"""Where bundles lie: in a checkout, in the user's cache, where VIDRT_HOME says, or in the package."""

from pathlib import Path

import pytest
from vidrt_engines import places
from vidrt_engines.places import DEFAULT_BUNDLE, built_bundles, demo_names, find_bundle

NAMES = ("VIDRT_HOME", "XDG_CACHE_HOME", "LOCALAPPDATA")


@pytest.fixture
def installed(monkeypatch, tmp_path):
    """As where the package lies in site-packages and the user has a home and no other settings."""
    for name in NAMES:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setattr(places, "_PACKAGE", tmp_path / "site-packages/vidrt_engines")
    return tmp_path / "home"


def on(monkeypatch, platform):
    monkeypatch.setattr(places.sys, "platform", platform)


def test_a_checkout_keeps_its_bundles(monkeypatch):
    """In a checkout, bundles go to engines/built, beside the package and not inside."""
    monkeypatch.delenv("VIDRT_HOME", raising=False)
    package = Path(places.__file__).resolve().parent
    assert (package.parents[1] / "pyproject.toml").is_file()
    assert built_bundles() == package.parent / "built"


@pytest.mark.parametrize("platform", ["linux", "darwin", "win32"])
def test_vidrt_home_overrides_all(monkeypatch, tmp_path, platform):
    """VIDRT_HOME wins over a checkout on every system, and may begin with ~."""
    on(monkeypatch, platform)
    monkeypatch.setenv("VIDRT_HOME", str(tmp_path))
    assert built_bundles() == tmp_path
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("VIDRT_HOME", "~/bundles")
    assert built_bundles() == tmp_path / "bundles"


def test_an_empty_vidrt_home_is_none(monkeypatch, installed):
    """A variable that is set to nothing names no folder, least of all the current one."""
    on(monkeypatch, "linux")
    monkeypatch.setenv("VIDRT_HOME", "")
    assert built_bundles() == installed / ".cache/vidrt"


@pytest.mark.parametrize(
    ("platform", "place"),
    [("linux", ".cache"), ("freebsd14", ".cache"), ("darwin", "Library/Caches"), ("win32", "AppData/Local")],
)
def test_elsewhere_bundles_go_to_the_users_cache(monkeypatch, installed, platform, place):
    """An installed package builds into the cache directory of the system's kind."""
    on(monkeypatch, platform)
    assert built_bundles() == installed / place / "vidrt"


@pytest.mark.parametrize(("platform", "name"), [("linux", "XDG_CACHE_HOME"), ("win32", "LOCALAPPDATA")])
def test_the_users_own_cache_is_taken(monkeypatch, installed, tmp_path, platform, name):
    """The variable that moves the cache on a system is followed, and passed over where it is empty."""
    on(monkeypatch, platform)
    monkeypatch.setenv(name, str(tmp_path / "cache"))
    assert built_bundles() == tmp_path / "cache/vidrt"
    monkeypatch.setenv(name, "")
    assert built_bundles().is_relative_to(installed)


def test_another_systems_variables_mean_nothing(monkeypatch, installed, tmp_path):
    """XDG_CACHE_HOME does not move the cache of macOS."""
    on(monkeypatch, "darwin")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert built_bundles() == installed / "Library/Caches/vidrt"


def test_embedded_bundles_are_named():
    """The names that `--bundle` takes stand for folders that are bundles, the default among them."""
    assert DEFAULT_BUNDLE == "demo:ltx-video"
    assert demo_names() == [DEFAULT_BUNDLE, "demo:svd"]
    assert all((find_bundle(name) / "bundle.json").is_file() for name in demo_names())


def test_any_other_name_is_a_path(monkeypatch, tmp_path):
    """A name without demo: is a path as it stands, with ~ for the home."""
    monkeypatch.setenv("HOME", str(tmp_path))
    assert find_bundle("ltx-video") == Path("ltx-video")
    assert find_bundle("~/x") == tmp_path / "x"
    assert find_bundle(str(tmp_path)) == tmp_path
