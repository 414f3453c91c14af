"""A run under the stopwatch: every engine's work is seen, and its memory while it worked."""

import sys
import time

import numpy as np
import pytest
from vidrt.bench.machine import measured_peaks
from vidrt.bench.memory import sampled
from vidrt.bench.report import HEADINGS, Peaks, Phase, advice, rows
from vidrt.bench.roofline import Demand
from vidrt.bench.run import timed_run
from vidrt.stopwatch import Stopwatch

PEAKS = Peaks(flops=1e9, bytes=1e9)


def test_every_phase_of_a_run_is_timed(demo, small):
    """Text encoder, transformer and decoder in their order, each step's evaluations, twice the same."""
    watch = Stopwatch()
    watch.watch(demo.components)
    for _ in range(2):
        timed = timed_run(demo, watch, small)
        assert [phase.component for phase in timed.phases] == ["text_encoder", "transformer", "vae_decoder"]
        encoder, transformer, _ = timed.phases
        assert (encoder.runs, transformer.runs) == (2, 2 * 3)  # a prompt and a negative one; guided steps
        assert all(0 < phase.typical <= phase.total and phase.opening > 0 for phase in timed.phases)
        assert transformer.opening < timed.first_step < timed.seconds
        assert sum(phase.opening + phase.total for phase in timed.phases) <= timed.seconds


def test_watching_changes_no_frame(demo, small):
    """The frames of a watched pipeline are those of another."""
    wanted = demo(**small).frames
    Stopwatch().watch(demo.components)
    assert np.array_equal(demo(**small).frames, wanted)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells what of a process's memory is its own")
def test_memory_is_seen_when_it_is_held():
    """The peak of a time is what was held then: 64 MB more while an array of that size is there."""
    with sampled() as samples:
        begin = time.perf_counter()
        time.sleep(0.1)
        between = time.perf_counter()
        held = np.ones(64 << 20, np.uint8)
        time.sleep(0.1)
        end = time.perf_counter()
    before, after = samples.peak(begin, between - 0.02), samples.peak(between, end)
    assert held.all()
    assert after.anonymous - before.anonymous == pytest.approx(64 << 20, rel=0.05)
    assert samples.peak(end + 10, end + 11) is None


def test_the_machine_is_measured():
    """Products and copies have a pace above nothing."""
    peaks = measured_peaks()
    assert peaks.flops > 1e8
    assert peaks.bytes > 1e7


def phase(**values):
    demand = Demand(flops=values.pop("flops", None), weight_bytes=values.pop("weight_bytes", 0))
    return Phase(**{"component": "transformer", "opening": 0.0, "runs": 1, "first": 1.0, "typical": 1.0, "total": 1.0,
                    "demand": demand, **values})  # fmt: skip


@pytest.mark.parametrize(
    ("done", "told"),
    [
        ([phase(), phase(component="vae_decoder", total=3.0)], "vae_decoder takes 75% of the run."),
        ([phase(opening=3.0)], "transformer takes 100% of the run, most of it opening: a service that keeps it"),
        (
            [phase(total=4.0, flops=3e9)],
            "transformer takes 100% of the run at 75% of this machine's best in fp32: f",
        ),
        (
            [phase(total=4.0, flops=1e9)],
            "transformer takes 100% of the run at 25% of this machine's best in fp32: it waits for memory or",
        ),
        (
            [phase(total=4.0, flops=1e9, weight_bytes=int(3.6e9))],
            "transformer takes 100% of the run at 90% of this machine's best in reading memory: it waits for its w",
        ),
    ],
)
def test_the_advice_is_about_the_slowest(done, told):
    """It names the phase with the largest part of the run, and why."""
    assert advice(done, 4.0, PEAKS).startswith(told)


def test_a_row_has_a_cell_for_each_heading():
    """What is not known is a dash."""
    (row,) = rows([phase(anonymous=2_000_000, flops=5e8)], 2.0, PEAKS)
    assert len(row) == len(HEADINGS)
    assert row[-3:] == ("2 MB", "-", "50%")
    (row,) = rows([phase(flops=5e8, weight_bytes=7 * 10**8)], 2.0, PEAKS)
    assert row[-1] == "70% memory"
    (row,) = rows([phase(flops=5e8)], 2.0, None)
    assert row[-1] == "-"
