"""Sizes of memory as people write them."""

import pytest
from vidrt.errors import RequestError
from vidrt.sizes import parse_size


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("8GiB", 8 << 30),
        ("8gib", 8 << 30),
        ("500MB", 500_000_000),
        (" 1.5 GB ", 1_500_000_000),
        ("64k", None),
        ("2KiB", 2048),
        ("1TB", 10**12),
        ("4096", 4096),
        ("12 B", 12),
        (4097, 4097),
    ],
)
def test_sizes_are_read(text, size):
    """Units of a thousand and of 1024, whole and broken, in either case; a bare letter is no unit."""
    if size is None:
        with pytest.raises(RequestError):
            parse_size(text)
    else:
        assert parse_size(text) == size


@pytest.mark.parametrize("text", ["", "0", "-1", "GiB", "8 giants", "1e9", "0.1B", "nan", "8GiBs", -4])
def test_what_is_no_size_is_one_sentence(text, sentence):
    """Zero, signs, other words and other notations are refused with what a size looks like."""
    with pytest.raises(RequestError) as error:
        parse_size(text)
    assert sentence(error) == f"A size of memory should be like 8GiB, 500MB or a number of bytes, not '{text}'."
