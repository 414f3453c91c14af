"""What is refused of a lower precision."""

import pytest
import torch
from vidrt_engines.names import Precision
from vidrt_export.checks.judging import judge
from vidrt_reference.checkpoint.errors import CheckpointError

WANTED = torch.arange(1.0, 5.0)
CURE = r"build it with --precision bf16 or fp32"


def verdict(found, wanted=WANTED, bound=1e-2, other=Precision.BF16):
    return judge(found, wanted, bound, "The part in fp16", "the optimum", other=other)


def test_the_error_is_relative():
    """The norm of the difference over the norm of what is wanted, whatever the size of both."""
    for size in (1e-30, 1.0, 1e30):
        assert verdict(size * 1.001 * WANTED, size * WANTED) == pytest.approx(1e-3, rel=1e-3)
    assert verdict(WANTED) == 0


def test_the_bound_itself_is_allowed():
    """What is as far off as is allowed passes; a hair more does not, and the sentence has both figures."""
    assert verdict(WANTED * 1.25, bound=0.25) == 0.25
    told = (
        rf"^The part in fp16 is 2\.5e-01 from fp32 at the optimum, and 2e-01 is allowed: {CURE}, or .* --tolerance\.$"
    )
    with pytest.raises(CheckpointError, match=told):
        verdict(WANTED * 1.25, bound=0.2)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
def test_values_that_are_not_finite_are_refused(value):
    """One is enough, and the sentence says how many there are and what to build instead."""
    found = WANTED.clone()
    found[1] = value
    with pytest.raises(CheckpointError, match=rf"^The part in fp16 overflows at the optimum \(25% of .*\): {CURE}\.$"):
        verdict(found)


def test_a_constant_is_refused():
    """A result that is the same everywhere is no result, however large the bound."""
    with pytest.raises(CheckpointError, match=rf"gives one and the same value everywhere at the optimum: {CURE}\.$"):
        verdict(torch.full((4,), 2.5), bound=10.0)


def test_a_constant_that_fp32_gives_too_is_right():
    """Where fp32 gives one value everywhere, so may half precision."""
    assert verdict(torch.ones(4), torch.ones(4)) == 0


@pytest.mark.parametrize(
    ("wanted", "told"),
    [
        (torch.full((4,), float("nan")), "values that are not finite"),
        (torch.full((4,), float("inf")), "values that are not finite"),
        (torch.zeros(4), "nothing but zeros"),
    ],
)
def test_an_fp32_result_to_compare_with_is_needed(wanted, told):
    """Weights of which fp32 itself makes nothing are not passed, whatever half precision gives."""
    for found in (wanted, WANTED):
        with pytest.raises(CheckpointError, match=f"^The part in fp16 cannot be checked: fp32 itself gives {told} at"):
            verdict(found, wanted)


def test_an_engine_in_fp32_has_another_cure():
    """There is no wider precision to name."""
    with pytest.raises(CheckpointError, match="build it with --backend onnxruntime"):
        verdict(2 * WANTED, other=Precision.FP32)
