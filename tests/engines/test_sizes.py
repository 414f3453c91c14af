"""Sizes of memory as people write them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from vidrt_engines.sizes import parse_size

SIZES = {
    "1": 1,
    "512": 512,
    "8GiB": 8 << 30,
    "8gib": 8 << 30,
    "500MB": 500 * 10**6,
    "500 MB": 500 * 10**6,
    " 1.5 GB ": 1_500_000_000,
    "0.5KiB": 512,
    "3B": 3,
    "2TB": 2 * 10**12,
    "1TiB": 1 << 40,
}
BAD = ["", "GB", "-1GB", "0", "0.0GB", "0.4B", "1e9", "nan", "inf", "1,5GB", "8G", "8Gi", "8 GiB 3", ".5GB", "8ZB"]


@pytest.mark.parametrize("text", SIZES)
def test_sizes_are_read(text):
    """Powers of 1000 and of 1024, fractions, spaces, and small letters for large ones."""
    assert parse_size(text) == SIZES[text]


@given(st.integers(1, 1 << 50))
def test_a_number_is_itself(count):
    """As a number or as its digits."""
    assert parse_size(count) == parse_size(str(count)) == count


@pytest.mark.parametrize("text", BAD)
def test_what_is_no_size_is_a_sentence(text):
    """It says what a size looks like, and what came."""
    with pytest.raises(ValueError, match=r"^A size of memory should be like 8GiB, .*, not '") as caught:
        parse_size(text)
    assert str(caught.value).endswith(f"not '{text}'.")
