"""Sizes of memory in a request."""

from vidrt_engines import sizes

from vidrt.errors import RequestError


def parse_size(text: str | int) -> int:
    """Bytes, from a number of them or from text such as "8GiB", "500MB" or "1.5 GB".

    Raises:
        RequestError: no such size, or none above 0.
    """
    try:
        return sizes.parse_size(text)
    except ValueError as error:
        raise RequestError(str(error)) from error
