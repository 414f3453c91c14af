"""`--model-id`: the exporter downloads and builds once, and the hub is not asked again."""

import subprocess

import pytest
import tiny_hub
from hub_standin import StandIn
from vidrt.cli import local_weights
from vidrt.cli.local_weights import bundle_of_model
from vidrt.errors import RequestError
from vidrt.progress import SilentProgress


@pytest.fixture
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("VIDRT_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


@pytest.fixture
def hub(checkpoints, tmp_path, monkeypatch):
    """A hub on this machine that has tiny/ltx, and that processes started from here take for the real one."""
    with StandIn() as hub:
        hub.add("tiny/ltx", tiny_hub.lay_out(checkpoints("0.9.0"), tmp_path / "repository"))
        monkeypatch.setenv("HF_ENDPOINT", hub.endpoint)
        monkeypatch.setenv("HF_HOME", str(tmp_path / "hub"))
        monkeypatch.setenv("HF_HUB_DISABLE_TELEMETRY", "1")
        for name in ("HF_HUB_CACHE", "HF_TOKEN", "HF_HUB_OFFLINE"):
            monkeypatch.delenv(name, raising=False)
        yield hub


@pytest.mark.slow
def test_a_model_is_downloaded_built_once_and_played(generate, hub, home):
    """The first run downloads what is needed and builds a bundle; the second asks no hub and makes the same file."""
    request = ("--model-id", "tiny/ltx", "--revision", "v1", "--prompt", "a cat", "--seed", "3")
    first = generate(*request)
    assert (first.status, first.out) == (0, "output/video.gif\noutput/video.json\n")
    (bundle,) = (path.parent for path in home.glob("*/bundle.json"))
    assert bundle.name.startswith("tiny-ltx-")
    assert f"building {bundle}" in first.err
    assert sorted(hub.downloads()) == sorted(tiny_hub.NEEDED)
    hub.requests.clear()
    second = generate(*request, "--output-dir", "again")
    assert second.status == 0
    assert "building" not in second.err
    assert hub.requests == []


def test_what_the_hub_refuses_is_one_line(process, hub, home, place):
    """The exporter's sentence about a model that is not there is the command's, and so is its status."""
    ended = process("generate", "--quiet", "--model-id", "tiny/none")
    assert (ended.status, ended.out) == (2, "")
    (line,) = ended.err.splitlines()
    assert line.startswith("build-engines: There is no folder tiny/none here, and the hub has no such model")
    assert hub.downloads() == []
    assert not home.exists()
    assert not (place / "output").exists()


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


def test_the_exporter_is_told_what_concerns_it(called, home, place):
    """The model, its revision and version and the quiet reach it; each model and revision has a bundle of its own."""
    assert list(place.iterdir()) == []
    plain = bundle_of_model("tiny/ltx", None, None, SilentProgress(), quiet=False)
    told = bundle_of_model("tiny/ltx:a.safetensors", "v1", "0.9.5", SilentProgress(), quiet=True)
    assert called == [
        ["tiny/ltx", "--out", str(plain)],
        ["tiny/ltx:a.safetensors", "--out", str(told), "--ltxv-version", "0.9.5", "--revision", "v1", "--quiet"],
    ]
    others = {bundle_of_model("tiny/ltx", "v2", None, SilentProgress(), quiet=True) for _ in range(2)}
    assert len(others | {plain, told}) == 3
    assert {bundle.parent for bundle in others | {plain, told}} == {home}
    assert told.name.startswith("tiny-ltx-a.safetensors-")


def test_what_is_a_folder_here_is_not_taken_for_a_model(called, place, sentence):
    """A folder of the model's name would be what the exporter reads: which of both is meant is asked."""
    (place / "tiny/ltx").mkdir(parents=True)
    with pytest.raises(RequestError, match="tiny/ltx is here: give it as --local-weights") as error:
        bundle_of_model("tiny/ltx", None, None, SilentProgress(), quiet=True)
    sentence(error)
    assert called == []
