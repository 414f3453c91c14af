"""`build-engines OWNER/NAME`: from a hub on this machine to a bundle."""

import dataclasses
import os
import shutil
import signal
import subprocess
import sys
import time

import pytest
import svd_original
import tiny_bundles
import tiny_hub
from tiny_hub import WEIGHTS
from vidrt_engines.manifest import read_bundle
from vidrt_export.hub.place import Place

pytestmark = pytest.mark.usefixtures("cached_traces")


@pytest.fixture
def here(place, monkeypatch):
    """Lets this process take the test's hub for the environment's; another one may be set."""
    found = [place]
    monkeypatch.setattr(Place, "of_environment", lambda: found[-1])
    return found


@pytest.fixture
def environment(hub, tmp_path):
    """What a process of its own finds in its environment."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("HF_", "HUGGINGFACE_"))}
    return {**kept, "HF_ENDPOINT": hub.endpoint, "HF_HOME": str(tmp_path / "home"), "HF_TOKEN": "allowed",
            "HF_HUB_DISABLE_TELEMETRY": "1"}  # fmt: skip


def process(environment, *arguments):
    command = [sys.executable, "-W", "error", "-m", "vidrt_export", *map(str, arguments)]
    return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


@pytest.mark.usefixtures("here")
@pytest.mark.slow
def test_a_bundle_from_the_hub_is_the_folders(hub, tmp_path, build_engines, bundles):
    """The bundle is byte for byte the one of the folder; a second build downloads nothing and builds nothing."""
    result = build_engines("tiny/ltx", "--out", tmp_path / "out")
    assert result.status == 0
    assert tiny_bundles.contents(tmp_path / "out") == tiny_bundles.contents(bundles("0.9.0"))
    assert result.err.splitlines()[0] == "downloading 8 files of tiny/ltx, 3 MB"
    assert sorted(hub.downloads()) == sorted(tiny_hub.NEEDED)
    hub.requests.clear()
    again = build_engines("tiny/ltx", "--out", tmp_path / "out")
    assert (again.status, again.err.count("up to date")) == (0, 4)
    assert hub.downloads() == []


def test_offline_the_cache_is_built_from(hub, here, tmp_path, build_engines):
    """After a download the same command needs no hub."""
    assert build_engines("tiny/ltx", "--out", tmp_path / "out", "--dry-run").status == 0
    here.append(dataclasses.replace(here[0], offline=True))
    refused = build_engines("tiny/ltx", "--out", tmp_path / "out")
    assert refused.status == 2
    assert "HF_HUB_OFFLINE is set: unset it to download the rest" in refused.err
    here.pop()
    assert build_engines("tiny/ltx", "--out", tmp_path / "out", "--component", "vae_decoder").status == 0
    here.append(dataclasses.replace(here[0], offline=True))
    before = len(hub.requests)
    assert build_engines("tiny/ltx", "--out", tmp_path / "out", "--component", "transformer").status == 0
    assert len(hub.requests) == before
    assert set(read_bundle(tmp_path / "out").engines) == {"vae_decoder", "transformer"}


@pytest.mark.usefixtures("here", "no_tracing")
def test_a_dry_run_says_what_would_come(hub, tmp_path, build_engines):
    """Without the weights the plan is of the download; with them it is of the build; neither writes a bundle."""
    planned = build_engines("tiny/ltx", "--out", tmp_path / "out", "--dry-run")
    assert (planned.status, planned.err) == (0, "")
    assert planned.out.startswith("tiny/ltx at ")
    assert WEIGHTS in planned.out
    assert hub.downloads() == ["model_index.json"]
    assert not (tmp_path / "out").exists()


@pytest.mark.usefixtures("here", "no_tracing")
def test_the_repositorys_name_tells_the_version(hub, checkpoints, fetched, tmp_path, build_engines):
    """In the hub's cache a folder bears a commit's name: the model's own name is what counts."""
    hub.add("tiny/LTX-Video-0.9.6-distilled", checkpoints("0.9.5"))
    fetched("tiny/LTX-Video-0.9.6-distilled")
    result = build_engines("tiny/LTX-Video-0.9.6-distilled", "--out", tmp_path / "out", "--dry-run")
    assert result.out.startswith("LTX-Video 0.9.6-distilled\n")
    assert result.err == ""


@pytest.mark.usefixtures("here", "no_tracing")
def test_an_original_file_of_a_repository(hub, fetched, tmp_path, build_engines):
    """OWNER/NAME:FILE is read as that file by its own name, and the repository's other files stay where they are."""
    (tmp_path / "svd").mkdir()
    svd_original.save(tmp_path / "svd/svd_xt.safetensors")
    (tmp_path / "svd/svd_xt_image_decoder.safetensors").write_text("another model")
    hub.add("tiny/svd", tmp_path / "svd")
    fetched("tiny/svd:svd_xt.safetensors")
    result = build_engines("tiny/svd:svd_xt.safetensors", "--out", tmp_path / "out", "--dry-run")
    assert (result.status, result.err) == (0, "")
    assert result.out.startswith("Stable Video Diffusion svd-xt\n")
    assert hub.downloads() == ["svd_xt.safetensors"]


@pytest.mark.usefixtures("here", "no_tracing")
def test_a_folder_comes_before_the_hub(hub, checkpoints, tmp_path, build_engines, monkeypatch):
    """Where tiny/ltx is a folder, the hub is not asked."""
    shutil.copytree(checkpoints("0.9.1"), tmp_path / "tiny/ltx")
    monkeypatch.chdir(tmp_path)
    result = build_engines("tiny/ltx", "--out", "out", "--dry-run")
    assert result.out.startswith("LTX-Video 0.9.1\n")
    assert hub.requests == []


@pytest.mark.usefixtures("here", "no_tracing")
@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["tiny"], "tiny is no folder or file here, nor OWNER/NAME of a model of the hub"),
        (["./tiny/none"], "./tiny/none is no folder or file here"),
        (["tiny/none/more"], "tiny/none/more is no folder or file here"),
        (["tiny/ltx:model.bin"], "but the file is 'model.bin'"),
        (["tiny/ltx:none.safetensors"], "has no file none.safetensors"),
        (["tiny/none"], "There is no folder tiny/none here, and the hub has no such model"),
        (["tiny/ltx", "--revision", "v9"], "tiny/ltx has no revision 'v9'"),
        (["tiny/ltx", "--ltxv-version", "1.0"], "known: 0.9.0, 0.9.1"),
        (["{folder}", "--revision", "main"], "--revision concerns a model of the hub, and"),
    ],
)
def test_bad_requests_are_one_sentence(hub, repository, tmp_path, build_engines, arguments, told):
    """A name that is none, or of nothing, is status 2 and one line, and no weight is downloaded."""
    words = [word.format(folder=repository) for word in arguments]
    result = build_engines(*words, "--out", tmp_path / "out")
    assert result.status == 2
    assert told in result.err
    assert result.err.count("\n") == 1
    assert result.err.endswith(".\n")
    assert {name for name in hub.downloads() if name.endswith(".safetensors")} == set()
    assert not (tmp_path / "out").exists()


@pytest.mark.usefixtures("here", "no_tracing")
def test_a_download_that_fails_on_the_way_is_status_1(hub, tmp_path, build_engines):
    """A damaged file is one line, status 1, and no bundle."""
    hub.faults.damaged.add(WEIGHTS)
    result = build_engines("tiny/ltx", "--out", tmp_path / "out", "--quiet")
    assert result.status == 1
    assert "arrived damaged" in result.err
    assert result.err.count("\n") == 1
    assert not (tmp_path / "out").exists()


@pytest.mark.usefixtures("no_tracing")
def test_without_the_extra_the_line_that_mends_it_is_told(tmp_path, build_engines, monkeypatch):
    """A hub's name without huggingface_hub is one sentence with the pip line."""
    monkeypatch.delitem(sys.modules, "vidrt_export.hub.download", raising=False)
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    monkeypatch.setitem(sys.modules, "huggingface_hub.utils", None)
    result = build_engines("tiny/ltx", "--out", tmp_path / "out")
    assert result.status == 2
    assert "huggingface_hub" in result.err
    assert "is not installed; run: pip install 'vidrt[export,hub]'" in result.err


@pytest.mark.slow
def test_a_process_that_was_stopped_goes_on_where_it_was(hub, environment, tmp_path):
    """Ctrl-C in the middle of a file keeps what has come; the next process asks for the rest alone.

    Both take the hub, its cache and the token from their environment; the store never sees the token.
    """
    hub.faults.stalls[WEIGHTS] = 100_000
    arguments = ["tiny/ltx", "--out", tmp_path / "out", "--component", "text_encoder", "--quiet"]
    running = process(environment, *arguments)
    cache, deadline = tmp_path / "home/hub", time.monotonic() + 120
    while not any(path.stat().st_size == 100_000 for path in cache.rglob("*.vidrt.incomplete")):
        assert running.poll() is None, running.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.05)
    running.send_signal(signal.SIGINT)
    assert (*running.communicate(timeout=60), running.returncode) == (
        "", "\nbuild-engines: stopped; what was finished is kept.\n", 130
    )  # fmt: skip
    hub.faults.stalls.clear()
    hub.requests.clear()
    ended = process(environment, *arguments)
    assert (*ended.communicate(timeout=300), ended.returncode) == ("", "", 0)
    asked = {ask.path.partition("?")[0]: ask.headers.get("range") for ask in hub.requests if ask.half == "store"}
    assert asked[f"/tiny--ltx/{WEIGHTS}"] == "bytes=100000-"
    assert {ask.headers.get("authorization") for ask in hub.requests if ask.half == "hub"} == {"Bearer allowed"}
    assert {ask.headers.get("authorization") for ask in hub.requests if ask.half == "store"} == {None}
    hub.requests.clear()
    offline = process({**environment, "HF_HUB_OFFLINE": "1"}, *arguments[:-1], "--dry-run")
    out, err = offline.communicate(timeout=120)
    assert (offline.returncode, out.splitlines()[0], err) == (0, "LTX-Video 0.9.0", "")
    assert hub.requests == []
