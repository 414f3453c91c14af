"""The platform's name as engines carry it."""

import pytest
from vidrt_engines import platforms


@pytest.mark.parametrize(
    ("system", "machine", "name"),
    [
        ("linux", "x86_64", "linux-x86_64"),
        ("linux", "aarch64", "linux-aarch64"),
        ("win32", "AMD64", "windows-x86_64"),
        ("darwin", "arm64", "macos-aarch64"),
        ("darwin", "x86_64", "macos-x86_64"),
    ],
)
def test_the_same_processor_has_one_name(monkeypatch, system, machine, name):
    """Systems spell their processors differently; engines do not."""
    monkeypatch.setattr(platforms.sys, "platform", system)
    monkeypatch.setattr(platforms.platform, "machine", lambda: machine)
    assert platforms.platform_name() == name
