"""How long a run will take: known once one was made, and as many times as long as it has operations."""

import itertools
import re
from types import SimpleNamespace

import pytest
from vidrt import stopwatch
from vidrt.cli.main import main
from vidrt.planning.duration import Duration, duration_lines
from vidrt_engines.manifest import read_bundle

REQUEST = ("--prompt", "a fox", "--cpu", "--backend", "onnxruntime", "--height", "64", "--width", "64", "--steps", "4")
PHASES = ["text encoding", "denoising", "decoding"]
NOT_KNOWN = "not known until a run was made"


@pytest.fixture
def vidrt(monkeypatch, tmp_path, capsys):
    """Runs the command; each run and each opening of an engine takes a second."""
    ticks = itertools.count()
    monkeypatch.setattr(stopwatch, "time", SimpleNamespace(perf_counter=lambda: float(next(ticks))))
    monkeypatch.chdir(tmp_path)

    def run(*arguments):
        monkeypatch.setattr("sys.argv", ["vidrt", *map(str, arguments)])
        main()
        return capsys.readouterr().out

    return run


def rows(out):
    """What each phase takes, as it is told, and the line below."""
    lines = out.splitlines()
    begin = next(number for number, line in enumerate(lines) if line.startswith("Estimated time")) + 1
    return [re.split(" {2,}", line) for line in lines[begin:]]


def seconds(told):
    return float(told.removesuffix(" s"))


def test_a_run_tells_of_the_next(vidrt, bundles):
    """Before a run nothing is known; behind it a plan of the same size takes as long, and a larger one longer."""
    asked = ("--bundle", bundles("0.9.5"), *REQUEST, "--guidance-scale", 1, "--no-prompt-cache")
    first = rows(vidrt("plan", *asked, "--num-frames", 9))
    assert [row[:2] for row in first] == [[name, NOT_KNOWN] for name in PHASES]
    vidrt("generate", *asked, "--num-frames", 9)
    *same, (total,) = rows(vidrt("plan", *asked, "--num-frames", 9))
    assert [row[0] for row in same] == PHASES
    encoding, denoising, decoding = (seconds(row[1]) for row in same)
    assert (encoding, denoising) == (2, 5)  # opened once each; one run and four
    stages = len(read_bundle(bundles("0.9.5")).engines["vae_decoder"][0].stages)
    assert decoding >= 2 * stages  # each is opened, and runs
    assert total == f"In all about {encoding + denoising + decoding:.0f} s."
    *larger, _ = rows(vidrt("generate", "--dry-run", *asked, "--num-frames", 17))
    assert seconds(larger[0][1]) == encoding
    assert seconds(larger[1][1]) == pytest.approx(1 + 4 * 1.5, rel=0.1)
    assert seconds(larger[2][1]) > decoding


def test_the_library_writes_nothing(own_cache, bundles, small):
    """A pipeline that is used from Python keeps no times."""
    from vidrt import load_pipeline

    with load_pipeline(bundles("0.9.5"), device="cpu") as pipeline:
        pipeline(**small, prompt="a fox")
    assert not own_cache.exists()


def test_what_is_not_known_has_no_sum():
    """A phase that was not seen says so, and leaves out how long all take; a step cache makes it the most."""
    known = Duration(name="denoising", runs=40, operations=1e12, seconds=300.0)
    other = Duration(name="decoding", runs=1, operations=1e9, seconds=None)
    assert list(duration_lines([known, other]))[1:] == [
        f"denoising  {'5 min':>30}  40 runs", f"decoding   {NOT_KNOWN}  1 run",
    ]  # fmt: skip
    assert list(duration_lines([known], is_at_most=True))[-1] == "In all at most 5 min."


@pytest.mark.parametrize(
    ("length", "told"),
    [(0.01, "under 0.1 s"), (3.14, "3.1 s"), (59.6, "60 s"), (150, "2 min"), (7199, "120 min"), (9000, "2.5 h")],
)
def test_times_are_told_as_people_say_them(length, told):
    """Short ones in seconds, long ones in minutes or hours."""
    phase = Duration(name="denoising", runs=1, operations=1.0, seconds=length)
    assert list(duration_lines([phase]))[-1] == f"In all about {told}."
