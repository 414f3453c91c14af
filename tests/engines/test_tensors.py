"""Named tensors: what does not fit the manifest is told by name, type, rank and size."""

import pytest
from vidrt_engines.tensors import TensorSpec, check_arrays

SPECS = (
    TensorSpec(name="latents", dtype="float32", axes=("batch", "tokens", "8")),
    TensorSpec(name="rope", dtype="float32", axes=("tokens", "16")),
    TensorSpec(name="ids", dtype="int64", axes=("batch",)),
)
FITTING = {"latents": ("float32", (2, 5, 8)), "rope": ("float32", (5, 16)), "ids": ("int64", [2])}


def test_fitting_arrays_pass():
    """Arrays of the right names, types, ranks and sizes have nothing wrong, in any order."""
    assert check_arrays(SPECS, FITTING) is None
    assert check_arrays(SPECS, dict(reversed(FITTING.items()))) is None
    assert check_arrays((), {}) is None


@pytest.mark.parametrize(
    ("name", "array", "told"),
    [
        ("latents", ("float16", (2, 5, 8)), "'latents' should be float32, not float16"),
        ("ids", ("int32", (2,)), "'ids' should be int64, not int32"),
        ("latents", ("float32", (5, 8)), "'latents' should have the axes (batch, tokens, 8), not the shape (5, 8)"),
        ("ids", ("int64", ()), "'ids' should have the axes (batch), not the shape ()"),
        ("latents", ("float32", (2, 5, 9)), "axis '8' of 'latents' should be 8, not 9"),
        ("rope", ("float32", (6, 16)), "axis 'tokens' of 'rope' should be 5, not 6"),
        ("ids", ("int64", (3,)), "axis 'batch' of 'ids' should be 2, not 3"),
    ],
)
def test_what_does_not_fit_is_told(name, array, told):
    """A wrong type, rank or size, or a size that differs between tensors, is told with what was expected."""
    assert check_arrays(SPECS, {**FITTING, name: array}) == told


@pytest.mark.parametrize("name", FITTING)
def test_a_missing_array_is_named(name):
    """An array that was not given is named."""
    assert check_arrays(SPECS, {key: value for key, value in FITTING.items() if key != name}) == f"missing: {name}"


def test_an_unknown_array_is_named_with_those_that_are_known():
    """An array that nothing takes is not passed over."""
    told = check_arrays(SPECS, {**FITTING, "mask": ("float32", (2,))})
    assert told == "unknown: mask; known: ids, latents, rope"


def test_one_size_for_an_axis_within_one_tensor():
    """A dynamic axis that a tensor has twice is one size."""
    square = (TensorSpec(name="a", dtype="float32", axes=("n", "n")),)
    assert check_arrays(square, {"a": ("float32", (3, 3))}) is None
    assert check_arrays(square, {"a": ("float32", (3, 4))}) == "axis 'n' of 'a' should be 3, not 4"
