"""Sizes of memory as people write them."""

import re

_UNITS = {"": 1, "B": 1} | {
    f"{letter}{ending}": base**power
    for power, letter in enumerate("KMGT", 1)
    for ending, base in (("B", 1000), ("iB", 1024))
}


def parse_size(text: str | int) -> int:
    """Bytes, from a number of them or from text such as "8GiB", "500MB" or "1.5 GB".

    Raises:
        ValueError: no such size, or none above 0; the message is a sentence.
    """
    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([A-Za-z]*)", str(text).strip())
    unit = next((size for name, size in _UNITS.items() if match and name.lower() == match[2].lower()), None)
    if match is None or unit is None or (size := int(float(match[1]) * unit)) < 1:
        raise ValueError(f"A size of memory should be like 8GiB, 500MB or a number of bytes, not '{text}'.")
    return size
