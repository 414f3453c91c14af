"""`--local-weights`: the exporter is called once, its bundle kept, its refusals handed on."""

import os
import subprocess
from pathlib import Path

import pytest
import tiny_ltx
from vidrt.cli import local_weights
from vidrt.cli.local_weights import bundle_of
from vidrt.errors import EngineError
from vidrt.progress import SilentProgress


@pytest.fixture
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("VIDRT_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


def test_a_checkpoint_is_built_once_and_played(generate, home, tmp_path):
    """The first run builds a bundle below VIDRT_HOME; the second builds nothing and makes the same file."""
    source = tiny_ltx.save(tmp_path / "tiny", "0.9.5")
    request = ("--local-weights", source, "--prompt", "a cat", "--seed", "3")
    first = generate(*request)
    assert (first.status, first.out) == (0, "output/video.gif\noutput/video.json\n")
    (bundle,) = (path.parent for path in home.glob("*/bundle.json"))
    built = {path: path.stat().st_mtime_ns for path in bundle.rglob("*")}
    assert bundle / "bundle.json" in built
    assert f"building {bundle}" in first.err
    second = generate(*request, "--output-dir", "again")
    assert second.status == 0
    assert "building" not in second.err
    assert {path: path.stat().st_mtime_ns for path in bundle.rglob("*")} == built
    assert Path("again/video.gif").read_bytes() == Path("output/video.gif").read_bytes()


def test_a_folder_that_is_no_checkpoint_is_one_line(process, home, place):
    """What the exporter refuses is its one line and its status."""
    (place / "empty").mkdir()
    ended = process("generate", "--quiet", "--local-weights", "empty")
    assert (ended.status, ended.out) == (2, "")
    (line,) = ended.err.splitlines()
    assert line.startswith("build-engines: ")
    assert not home.exists() or list(home.rglob("bundle.json")) == []
    assert not (place / "output").exists()


@pytest.fixture
def source(tmp_path):
    folder = tmp_path / "weights"
    folder.mkdir()
    (folder / "model_index.json").write_text("{}")
    return folder


@pytest.fixture
def exporter(monkeypatch):
    """Stands for the exporter's command: what it was called with, and the status it ends with."""
    calls = []

    def run(command, *, check):
        assert not check
        calls.append(command)
        return subprocess.CompletedProcess(command, run.status)

    run.status = 0
    monkeypatch.setattr(local_weights.subprocess, "run", run)
    return run, calls


@pytest.mark.parametrize("status", [1, 2, 130])
def test_the_exporters_status_is_handed_on(source, home, exporter, status):
    """A build that stopped has said why; its status becomes the command's."""
    run, calls = exporter
    run.status = status
    with pytest.raises(SystemExit) as ended:
        bundle_of(source, None, SilentProgress(), quiet=False)
    assert ended.value.code == status
    assert len(calls) == 1
    assert not home.exists()


def test_an_exporter_that_was_ended_from_outside(source, home, exporter, sentence):
    """A build that was killed, for its memory say, could not say so itself."""
    run, _ = exporter
    run.status = -9
    with pytest.raises(EngineError, match=r"build-engines was ended by signal 9; run the same command again") as error:
        bundle_of(source, None, SilentProgress(), quiet=False)
    sentence(error)
    assert not home.exists()


def test_the_exporter_is_told_version_and_quiet(source, home, exporter):
    """The options that concern the build reach it."""
    _, calls = exporter
    bundle = bundle_of(source, "0.9.1", SilentProgress(), quiet=True)
    (command,) = calls
    assert command[1:3] == ["-m", "vidrt_export"]
    assert command[3:] == [str(source), "--out", str(bundle), "--ltxv-version", "0.9.1", "--quiet"]
    assert bundle.parent == home


def test_the_folders_own_text_encoder_is_another_bundle(source, home, exporter):
    """The exporter is told to take no GGUF file, and what it builds is kept apart."""
    _, calls = exporter
    bundles = [bundle_of(source, None, SilentProgress(), quiet=True, use_bf16_t5=full) for full in (False, True)]
    assert [("--use-bf16-t5" in command) for command in calls] == [False, True]
    assert bundles[0] != bundles[1]
    assert {bundle.parent for bundle in bundles} == {home}


def test_a_changed_checkpoint_is_another_bundle(source, home, exporter):
    """Files that changed, came or went make a new bundle; the same ones do not."""
    assert exporter

    def place():
        return bundle_of(source, None, SilentProgress(), quiet=True)

    first = place()
    assert place() == first
    os.utime(source / "model_index.json", ns=(1, 1))
    touched = place()
    (source / "more").touch()
    assert len({first, touched, place()}) == 3
    assert first.is_relative_to(home)
    assert first.name.startswith("weights-")
