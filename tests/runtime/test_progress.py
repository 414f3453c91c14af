"""Progress shows on a terminal, reads well in a file and is silent when asked."""

import io

import pytest
from vidrt.progress import BarProgress, PlainProgress, SilentProgress, make_progress


class Terminal(io.StringIO):
    def isatty(self):
        return True


class Clock:
    def __init__(self):
        self.now = 100.0

    def __call__(self):
        return self.now


def plain_lines(total, seconds, *, steps=None, unit="step"):
    """Gives the lines of a task whose steps take `seconds` each."""
    stream, clock = io.StringIO(), Clock()
    with PlainProgress(stream, clock).task("denoising", total=total, unit=unit) as task:
        for _ in range(total if steps is None else steps):
            clock.now += seconds
            task.advance()
    return stream.getvalue().splitlines()


def test_plain_lines_say_the_time_left_and_end_with_the_total():
    assert plain_lines(4, 20) == [
        "denoising: step 1/4, 0:20 so far, 1:00 left",
        "denoising: step 2/4, 0:40 so far, 0:40 left",
        "denoising: step 3/4, 1:00 so far, 0:20 left",
        "denoising: 4 steps in 1:20",
    ]


def test_a_thousand_fast_steps_make_eleven_lines():
    lines = plain_lines(1000, 0.01)
    assert len(lines) == 11
    assert lines[0].startswith("denoising: step 1/1000,")
    assert lines[1].startswith("denoising: step 101/1000,")
    assert lines[-1] == "denoising: 1000 steps in 0:10"


def test_slow_steps_make_a_line_every_half_minute():
    assert len(plain_lines(1000, 15)) == 501


def test_hours_are_shown():
    assert plain_lines(2, 4000)[-1] == "denoising: 2 steps in 2:13:20"


def test_one_step_makes_one_line_in_the_singular():
    assert plain_lines(1, 3, unit="frame") == ["denoising: 1 frame in 0:03"]


def test_no_steps_at_all_make_one_line():
    assert plain_lines(0, 1) == ["denoising: 0 steps in 0:00"]


def test_work_that_stops_early_says_how_far_it_came():
    assert plain_lines(40, 1, steps=3)[-1] == "denoising: 3 of 40 steps in 0:03"


def test_several_units_count_at_once_and_none_is_no_line():
    stream = io.StringIO()
    with PlainProgress(stream, Clock()).task("encoding", total=10, unit="frame") as task:
        task.advance(0)
        task.advance(4)
        task.advance(6)
    assert stream.getvalue().splitlines() == [
        "encoding: frame 4/10, 0:00 so far, 0:00 left",
        "encoding: 10 frames in 0:00",
    ]


def fail_within(progress):
    with progress.task("denoising", total=2) as task:
        task.advance()
        raise RuntimeError("out of memory")


def test_work_that_fails_is_not_reported_as_done():
    stream = io.StringIO()
    with pytest.raises(RuntimeError, match="out of memory"):
        fail_within(PlainProgress(stream, Clock()))
    assert len(stream.getvalue().splitlines()) == 1


def test_a_terminal_gets_a_bar_that_ends_full():
    stream = Terminal()
    with make_progress(quiet=False, stream=stream).task("denoising", total=40) as task:
        for _ in range(40):
            task.advance()
    last = stream.getvalue().rsplit("\r", 1)[-1]
    assert last.startswith("denoising: 100%")
    assert "40/40" in last
    assert "step" in last


def test_a_note_above_a_bar_stands_on_its_own_line():
    stream = Terminal()
    progress = make_progress(quiet=False, stream=stream)
    with progress.task("denoising", total=2) as task:
        task.advance()
        progress.note("seed 7")
    assert "\rseed 7\n" in stream.getvalue()


def test_a_note_is_one_plain_line_elsewhere():
    stream = io.StringIO()
    make_progress(quiet=False, stream=stream).note("seed 7")
    assert stream.getvalue() == "seed 7\n"


@pytest.mark.parametrize("stream", [io.StringIO(), Terminal()])
def test_quiet_shows_nothing(stream, capsys):
    progress = make_progress(quiet=True, stream=stream)
    progress.note("seed 7")
    with progress.task("denoising", total=2) as task:
        task.advance(2)
    assert stream.getvalue() == ""
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("quiet", "stream", "kind"),
    [
        (True, Terminal(), SilentProgress),
        (False, Terminal(), BarProgress),
        (False, io.StringIO(), PlainProgress),
    ],
)
def test_the_stream_decides_what_is_shown(quiet, stream, kind):
    assert isinstance(make_progress(quiet=quiet, stream=stream), kind)


def test_stderr_is_where_progress_goes_unless_told(capsys):
    make_progress(quiet=False).note("seed 7")
    assert capsys.readouterr() == ("", "seed 7\n")
