"""Builds that are killed or stopped while they compile: nothing half done stays, and no process outlives them."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import tiny_bundles
from vidrt_engines.manifest import read_bundle

SECONDS = 120
COMPONENTS = ["--component", "text_encoder", "--component", "transformer"]

pytestmark = pytest.mark.skipif(not Path("/proc/self").exists(), reason="processes are looked for in /proc")


def take_interrupts():
    """As from a terminal: what a script starts in the background does not hear of Ctrl-C, and passes that on."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


@pytest.fixture
def start(fused_checkpoint, tmp_path):
    """A function of more options: a build of two components, started in a process of its own, and its log."""
    sizes = [word for text in tiny_bundles.RESOLUTIONS for word in ("--resolution", text)]
    sizes += [word for text in tiny_bundles.FRAMES for word in ("--frames", text)]
    command = [sys.executable, "-m", "vidrt_export", fused_checkpoint, "--out", tmp_path / "out"]
    command += ["--backend", tiny_bundles.RTX, *sizes, *COMPONENTS]
    started = []

    def run(*more):
        log = tmp_path / f"{len(started)}.log"
        with log.open("wb") as file:
            words = list(map(str, [*command, *more]))
            started.append(
                subprocess.Popen(words, stderr=file, start_new_session=True, preexec_fn=take_interrupts)  # noqa: PLW1509
            )
        return started[-1], log

    yield run
    for process in started:
        process.kill()
        process.wait(SECONDS)


def until(condition, process=None):
    """Wait for a condition; a process that it is about may not end before."""
    end = time.monotonic() + SECONDS
    while not (found := condition()):
        assert time.monotonic() < end
        assert process is None or process.poll() is None, "the build ended too early"
        time.sleep(0.005)
    return found


def compilers(out):
    """The processes that compile for a bundle."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = path.read_bytes().decode(errors="replace").split("\0")
        except OSError:
            continue  # gone meanwhile
        if "vidrt_export.tensorrt.compile" in words and any(str(out) in word for word in words):
            found.append(int(path.parent.name))
    return found


def plans(out):
    return {path: path.stat().st_mtime_ns for path in out.glob("*/*/model.plan")}


@pytest.mark.slow
def test_a_killed_build_is_finished_by_the_next(start, tmp_path):
    """Killed while it traces, checks, begins to compile and compiles: what was finished is kept, all else is gone."""
    out = tmp_path / "out"
    moments = {
        "traces": lambda log: "[2/2]" in log.read_text(),
        "checks": lambda log: log.read_text().partition("[2/2]")[2].count("from fp32 at") == 2,
        "begins to compile": lambda log: "[2/2]" in log.read_text() and compilers(out),
        "compiles": lambda log: "[2/2]" in log.read_text() and list(out.glob(".partial-*/model.plan")),
    }
    kept = {}
    for moment, is_there in moments.items():
        process, log = start()
        until(lambda log=log, is_there=is_there: is_there(log), process)
        process.kill()
        process.wait(SECONDS)
        until(lambda: not compilers(out))  # it ends with its parent
        assert list(read_bundle(out).engines) == ["text_encoder"], moment
        assert not kept or plans(out) == kept
        kept = plans(out)
        assert len(kept) == 1
        assert len(list(out.glob(".partial-*"))) == 1
    process, log = start()
    assert process.wait(SECONDS) == 0
    assert log.read_text().count("up to date") == 1
    assert kept.items() < plans(out).items()
    assert list(read_bundle(out).engines) == ["text_encoder", "transformer"]
    assert not list(out.glob(".*"))


def test_control_c_stops_the_compiler_too(start, tmp_path):
    """Stopped from the terminal in the middle of compiling: one sentence, status 130, no process and no folder left."""
    out = tmp_path / "out"
    process, log = start("--check-minutes", "0")
    until(lambda: compilers(out), process)
    os.killpg(process.pid, signal.SIGINT)
    assert process.wait(SECONDS) == 130
    assert log.read_text().endswith("\nbuild-engines: stopped; what was finished is kept.\n")
    assert compilers(out) == []
    assert not out.exists()


def test_a_compiler_that_is_killed_is_one_sentence(start, tmp_path):
    """As the system does where memory is short: the build says so, ends with status 2 and leaves nothing."""
    out = tmp_path / "out"
    process, log = start("--check-minutes", "0")
    (compiler,) = until(lambda: list(out.glob(".partial-*/model.plan")) and compilers(out), process)
    os.kill(compiler, signal.SIGKILL)
    assert process.wait(SECONDS) == 2
    told = log.read_text().splitlines()[-1]
    assert told.startswith(
        "build-engines: The process that worked on the text encoder ended with -9, as a process does"
    )
    assert "Traceback" not in log.read_text()
    assert not out.exists()
