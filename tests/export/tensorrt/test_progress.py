"""How far a builder is, from its phases."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from vidrt_export.tensorrt.progress import Phases, progress_monitor


def test_a_phase_counts_its_steps():
    """Each step is its part of the whole, and the end of the phase is the end."""
    phases, seen = Phases(), []
    phases.start("root", None, 4)
    for number in range(4):
        phases.step("root", number)
        seen.append(phases.done)
    phases.finish("root")
    assert seen == [0.25, 0.5, 0.75, 1]
    assert phases.done == 1


def test_a_phase_within_takes_one_step():
    """Half of the second of four steps is three eighths; its end adds nothing to the step that it is."""
    phases = Phases()
    phases.start("root", None, 4)
    phases.step("root", 0)
    phases.start("inner", "root", 2)
    phases.step("inner", 0)
    assert phases.done == 3 / 8
    phases.start("innermost", "inner", 10)
    phases.step("innermost", 4)
    assert phases.done == 1 / 4 + 1 / 4 * (1 / 2 + 1 / 2 * 1 / 2)
    phases.finish("innermost")
    phases.step("inner", 1)
    phases.finish("inner")
    assert phases.done < 1 / 2 + 1e-9
    phases.step("root", 1)
    assert phases.done == 1 / 2


def test_a_phase_that_stops_early_is_done():
    """A builder may need fewer steps than it said, or none."""
    phases = Phases()
    phases.start("root", None, 0)
    phases.finish("root")
    assert phases.done == 1


def test_a_second_root_takes_nothing_back():
    """Phases that were not announced come after the end, and what is done stays done."""
    phases = Phases()
    for name in ("first", "second"):
        phases.start(name, None, 2)
        phases.step(name, 0)
        phases.finish(name)
    assert phases.done == 1


@given(st.data())
def test_what_is_done_never_falls(data):
    """Whatever phases come, nested or side by side, it rises from 0 to 1."""
    phases, count, told = Phases(), 0, [0.0]

    def run(parent, depth):
        nonlocal count
        name, count = f"phase {count}", count + 1
        steps = data.draw(st.integers(0, 3))
        phases.start(name, parent, steps)
        for number in range(data.draw(st.integers(0, steps))):
            for _ in range(data.draw(st.integers(0, 2)) if depth < 3 else 0):
                run(name, depth + 1)
            phases.step(name, number)
            told.append(phases.done)
        phases.finish(name)
        told.append(phases.done)

    run(None, 0)
    assert told == sorted(told)
    assert told[-1] == 1
    assert all(0 <= part <= 1 for part in told)


@pytest.mark.usefixtures("cached_traces")
def test_a_real_compilation_tells_its_progress(fused_checkpoint, tmp_path, monkeypatch):
    """TensorRT's own phases rise in several steps, and come near the end."""
    import tiny_bundles
    from vidrt_export.backends import tensorrt

    real, told = tensorrt.compile_plan, []

    def listened(job, folder, what, advance):
        def both(part):
            told.append(part)
            advance(part)

        return real(job, folder, what, both)

    monkeypatch.setattr(tensorrt, "compile_plan", listened)
    tiny_bundles.build(
        fused_checkpoint, tmp_path / "out", components=("text_encoder",), backends=(tiny_bundles.RTX,),
        options=tiny_bundles.unchecked(),
    )  # fmt: skip
    assert len(told) >= 3
    assert told == sorted(set(told))
    assert 0 < told[0] < 0.9 < told[-1] <= 1


def test_the_monitor_is_told_from_many_threads():
    """A hundredth is told once, whoever does it, and a builder is never asked to stop."""
    from concurrent.futures import ThreadPoolExecutor

    import tensorrt_rtx as trt

    told = []
    monitor = progress_monitor(trt, told.append)
    monitor.phase_start("root", None, 1000)
    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(lambda number: monitor.step_complete("root", number), range(1000)))
    monitor.phase_finish("root")
    assert told == sorted(told)
    assert len(told) <= 100
    assert told[-1] > 0.99
