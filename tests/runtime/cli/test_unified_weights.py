"""`--unified-weights`: the exporter is called once for an official single file, and its bundle kept."""

import os
import shutil
import subprocess

import ltx_original
import pytest
from vidrt.cli import local_weights
from vidrt.cli.local_weights import bundle_of_file
from vidrt.errors import RequestError
from vidrt.progress import SilentProgress


@pytest.fixture
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("VIDRT_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


@pytest.fixture
def official(checkpoints, tmp_path):
    """A tiny official file with the text encoder and the tokenizer that people put beside it."""
    for name in ("text_encoder", "tokenizer"):
        shutil.copytree(checkpoints("0.9.0") / name, tmp_path / "models" / name)
    return ltx_original.save(tmp_path / "models" / "ltxv-2b-0.9.6-distilled.safetensors")


@pytest.mark.slow  # as --local-weights from here on, which is held to it in every run
def test_a_file_is_built_once_and_played(generate, home, official):
    """The first run builds a bundle below VIDRT_HOME, of the version that the name says; the second builds nothing."""
    request = ("--unified-weights", official, "--prompt", "a cat", "--seed", "3")
    first = generate(*request)
    assert (first.status, first.out) == (0, "output/video.gif\noutput/video.json\n"), first.err
    (bundle,) = (path.parent for path in home.glob("*/bundle.json"))
    assert bundle.name.startswith("ltxv-2b-0.9.6-distilled-")
    assert f"building {bundle}" in first.err
    assert "LTX-Video 0.9.6-distilled, 64x64" in first.err
    second = generate(*request, "--output-dir", "again")
    assert second.status == 0
    assert "building" not in second.err


def test_a_file_without_a_text_encoder_is_one_line(process, home, place):
    """What the exporter refuses is its one line and its status."""
    ltx_original.save(place / "ltxv.safetensors")
    ended = process("generate", "--quiet", "--unified-weights", "ltxv.safetensors")
    assert (ended.status, ended.out) == (2, "")
    (line,) = ended.err.splitlines()
    assert line.startswith("build-engines: Expected a text encoder in ")
    assert not home.exists()


@pytest.fixture
def called(monkeypatch):
    """Stands for the exporter's command: with what it was called."""
    calls = []

    def run(command, *, check):
        assert not check
        calls.append(command[3:])
        return subprocess.CompletedProcess(command, 0)

    monkeypatch.setattr(local_weights.subprocess, "run", run)
    return calls


def test_the_exporter_is_told_what_concerns_it(called, home, tmp_path):
    """The file, its version and the quiet reach it; a file that has changed or moved has another bundle."""
    path = tmp_path / "ltxv.safetensors"
    path.write_bytes(b"1")
    first = bundle_of_file(path, "0.9.6-dev", SilentProgress(), quiet=True)
    assert called == [[str(path), "--out", str(first), "--ltxv-version", "0.9.6-dev", "--quiet"]]
    assert first.parent == home
    assert bundle_of_file(path, None, SilentProgress(), quiet=True) == first
    os.utime(path, ns=(1, 1))
    touched = bundle_of_file(path, None, SilentProgress(), quiet=True)
    path.write_bytes(b"12")
    os.utime(path, ns=(1, 1))
    longer = bundle_of_file(path, None, SilentProgress(), quiet=True)
    moved = bundle_of_file(path.rename(tmp_path / "other.safetensors"), None, SilentProgress(), quiet=True)
    assert len({first, touched, longer, moved}) == 4


def test_an_upscaler_makes_another_bundle(called, home, tmp_path):
    """It reaches the exporter as it is spelled; one that has changed, or another, has a bundle of its own."""
    path, upscaler = tmp_path / "ltxv.safetensors", tmp_path / "upscaler.safetensors"
    path.write_bytes(b"1")
    upscaler.write_bytes(b"2")

    def place(given):
        return bundle_of_file(path, None, SilentProgress(), quiet=False, upscaler=given)

    first = place(str(upscaler))
    assert called == [[str(path), "--out", str(first), "--upscaler", str(upscaler)]]
    assert place(str(upscaler)) == first
    os.utime(upscaler, ns=(1, 1))
    others = [place(given) for given in (None, str(upscaler), str(tmp_path), "owner/name", "owner/other")]
    assert len({first, *others}) == 6
    assert {place.parent for place in others} == {home}


@pytest.mark.parametrize("name", ["nowhere", "."])
def test_what_is_no_file(place, sentence, name):
    """A folder, and what is not there, are refused before anything is called."""
    with pytest.raises(RequestError, match=r"is no file: give an official \.safetensors file") as error:
        bundle_of_file(place / name, None, SilentProgress(), quiet=True)
    sentence(error)
