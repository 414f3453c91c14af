"""Builds in processes of their own: killed ones, and how much memory they take."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import big_component
import pytest
import tiny_bundles
from vidrt_engines.manifest import read_bundle

SECONDS = 120


def command(*arguments):
    return [sys.executable, "-m", "vidrt_export", *map(str, arguments)]


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="there is no SIGKILL here")
def test_a_killed_build_is_finished_by_the_next(source, bundles, tmp_path):
    """Killed in the middle, what was finished is kept, and the next run gives the files of an undisturbed build."""
    out = tmp_path / "out"
    process = subprocess.Popen(command(source, "--out", out), stderr=subprocess.PIPE, text=True)
    announced = kill_at(process, "[3/4]")
    assert "[3/4] vae_encoder onnxruntime fp32" in announced
    kept = {path: path.stat().st_mtime_ns for path in out.rglob("model.*")}
    assert list(read_bundle(out).engines) == ["text_encoder", "transformer"]
    left_over(out)
    finished = subprocess.run(
        command(source, "--out", out), check=True, capture_output=True, text=True, timeout=SECONDS
    )
    assert finished.stderr.count("up to date") == 2
    assert not finished.stdout
    assert {path: path.stat().st_mtime_ns for path in kept} == kept
    assert tiny_bundles.contents(out) == tiny_bundles.contents(bundles("0.9.0"))
    assert not list(out.glob(".*"))


def kill_at(process, word):
    """Read what a build says up to a word, kill it, and return what it said."""
    said, end = "", time.monotonic() + SECONDS
    while word not in said and time.monotonic() < end:
        line = process.stderr.readline()
        assert line, f"the build ended before {word}: {said}"
        said += line
    process.kill()
    process.wait(SECONDS)
    assert process.returncode == -signal.SIGKILL
    process.stderr.close()
    return said


def left_over(out):
    """Leave what a kill while weights are written would: it may come at any moment, and this one was another."""
    folder = out / f".partial-vae_encoder-{os.getpid()}"
    folder.mkdir()
    (folder / "model.weights").write_bytes(bytes(1000))
    (out / f".bundle.json.{os.getpid()}").write_text('{"format": 1, "fam')


@pytest.mark.skipif(sys.platform == "win32", reason="there is no count of a process's peak memory here")
@pytest.mark.parametrize("precision", ["fp32", "fp16"])
def test_weights_are_not_held_in_memory(checkpoints, tmp_path, precision):
    """A component of 300 MB raises a build's peak memory by less than 100 MB, rounded or not."""
    script = Path(big_component.__file__)
    done = subprocess.run(
        [sys.executable, script, checkpoints("0.9.0"), tmp_path, precision],
        check=True, capture_output=True, text=True, timeout=SECONDS,
    )  # fmt: skip
    told = json.loads(done.stdout)
    assert told["weights"] > 300e6
    assert sum(path.stat().st_size for path in (tmp_path / "bundle-5000").rglob("model.weights")) == told["written"]
    assert told["added"] < 100e6
