"""Spans, and which of several profiles a run takes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from vidrt_engines.profiles import FAR, Span, distance, fits, is_far, tightest

AXES = ("batch", "tokens")


def profile(**axes):
    return {axis: Span(min=low, opt=middle, max=high) for axis, (low, middle, high) in axes.items()}


SMALL = profile(batch=(1, 1, 2), tokens=(10, 100, 200))
LARGE = profile(batch=(1, 1, 2), tokens=(50, 400, 1000))

spans = st.lists(st.integers(1, 10**6), min_size=3, max_size=3).map(sorted).map(tuple)
profiles = st.fixed_dictionaries(dict.fromkeys(AXES, spans)).map(lambda axes: profile(**axes))
sizes = st.fixed_dictionaries(dict.fromkeys(AXES, st.integers(1, 10**6)))


@pytest.mark.parametrize(("size", "is_inside"), [(9, False), (10, True), (100, True), (200, True), (201, False)])
def test_a_span_holds_its_ends(size, is_inside):
    """Both ends are sizes that the axis may have."""
    assert (size in SMALL["tokens"]) is is_inside
    assert str(SMALL["tokens"]) == "10:100:200"


def test_the_nearest_optimum_is_taken():
    """Of two profiles that fit, the one tuned for nearer sizes, whichever is named first."""
    for tokens, wanted in ((60, SMALL), (199, SMALL), (201, LARGE), (20, SMALL)):
        for order in ([SMALL, LARGE], [LARGE, SMALL]):
            assert order[tightest(order, {"batch": 1, "tokens": tokens})] is wanted


def test_nothing_is_taken_where_nothing_fits():
    """One axis outside is enough, and no profile at all fits nothing."""
    assert tightest([SMALL, LARGE], {"batch": 3, "tokens": 100}) is None
    assert tightest([SMALL], {"batch": 1, "tokens": 201}) is None
    assert tightest([], {"batch": 1}) is None


def test_equal_profiles_give_the_first():
    """The choice is the same each time."""
    assert tightest([SMALL, dict(SMALL)], {"batch": 1, "tokens": 100}) == 0


@given(found=st.lists(profiles, max_size=5), asked=sizes)
def test_what_is_taken_fits_and_none_is_nearer(found, asked):
    """The profile that is taken fits, and every other that fits is at least as far."""
    number = tightest(found, asked)
    fitting = [one for one in found if fits(one, asked)]
    assert (number is None) is (not fitting)
    if number is not None:
        assert fits(found[number], asked)
        assert all(distance(found[number], asked) <= distance(one, asked) for one in fitting)


@given(one=profiles, asked=sizes)
def test_distance_is_a_ratio(one, asked):
    """It is 1 for the optimum alone, never less, and the same for twice as much and half as much."""
    optimum = {axis: span.opt for axis, span in one.items()}
    assert distance(one, optimum) == 1
    assert distance(one, asked) >= 1
    double, half = ({axis: span.opt * 2**sign for axis, span in one.items()} for sign in (1, -1))
    assert distance(one, double) == pytest.approx(distance(one, half)) == pytest.approx(4)


@pytest.mark.parametrize(
    ("tokens", "far"), [(100, False), (150, False), (151, True), (67, False), (66, True), (10, True), (200, True)]
)
def test_far_is_in_either_direction(tokens, far):
    """A volume more than FAR times as large or as small is far, and FAR itself is not."""
    assert FAR == 1.5
    assert is_far(SMALL, {"batch": 1, "tokens": tokens}) is far


def test_far_is_of_the_volume():
    """Twice one axis and half another is as much work, and not far."""
    both = profile(rows=(1, 8, 16), columns=(1, 8, 16))
    assert not is_far(both, {"rows": 16, "columns": 4})
    assert is_far(both, {"rows": 16, "columns": 8})
