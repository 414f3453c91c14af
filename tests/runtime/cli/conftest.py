"""The `vidrt` command in an empty folder, in this process or in one of its own."""

import subprocess
import sys
from dataclasses import dataclass

import pytest
from vidrt.cli.main import main

SMALL = ("--height", "64", "--width", "64", "--num-frames", "9", "--steps", "2")


@dataclass(frozen=True)
class Ended:
    """How a command ended, and what it said."""

    status: int
    out: str
    err: str


@pytest.fixture
def place(tmp_path, monkeypatch):
    """The empty folder in which commands run."""
    folder = tmp_path / "place"
    folder.mkdir()
    monkeypatch.chdir(folder)
    return folder


@pytest.fixture
def vidrt(place, monkeypatch, capsys):
    """Runs the command's entry point in this process."""
    assert place.is_dir()

    def run(*arguments):
        monkeypatch.setattr(sys, "argv", ["vidrt", *map(str, arguments)])
        capsys.readouterr()
        try:
            main()
            status = 0
        except SystemExit as ended:
            status = ended.code
        return Ended(status, *capsys.readouterr())

    return run


@pytest.fixture
def generate(vidrt):
    """Runs `vidrt generate` at its smallest; what is said again overrides."""

    def run(*arguments):
        return vidrt("generate", "--cpu", *SMALL, *arguments)

    return run


@pytest.fixture
def process(place):
    """Runs the command in a process of its own."""

    def run(*arguments):
        command = [sys.executable, "-W", "error", "-m", "vidrt", *map(str, arguments)]
        ended = subprocess.run(command, cwd=place, capture_output=True, text=True, timeout=120, check=False)
        return Ended(ended.returncode, ended.stdout, ended.stderr)

    return run
