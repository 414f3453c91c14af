"""What the numbers of a request must be, each refused in one sentence."""

import math
import secrets
from numbers import Integral, Real
from typing import TypeGuard, TypeVar

from vidrt_engines.names import Compat

from vidrt.errors import RequestError
from vidrt.noise.choice import generator_name

N = TypeVar("N", int, float)

SEED_LIMIT = 1 << 64


def or_default(asked: N | None, default: N) -> N:
    """What was asked for, or the default where nothing was."""
    return default if asked is None else asked


def count(name: str, value: object) -> int:
    """A whole number from 1 up; numpy's are taken, True and False are none."""
    if not _is_whole(value) or value < 1:
        raise RequestError(f"The {name} should be a whole number from 1 up, not {value}.")
    return int(value)


def whole_between(name: str, value: object, least: int, most: int) -> int:
    """A whole number from `least` to `most`, both included."""
    if not _is_whole(value) or not least <= value <= most:
        raise RequestError(f"The {name} should be a whole number from {least} to {most}, not {value}.")
    return int(value)


def number_from(name: str, value: object, least: float) -> float:
    """A finite number from `least` up."""
    number = _as_float(value)
    if not math.isfinite(number) or number < least:
        raise RequestError(f"The {name} should be a number from {least:g} up, not {value}.")
    return number


def side(name: str, value: object, unit: int) -> int:
    """Pixels along a side, divisible by `unit`; where they are not, the nearest that are get named."""
    pixels = count(name, value)
    if pixels % unit:
        below = pixels // unit * unit
        near = f"{below} or {below + unit}" if below else f"{unit}"
        raise RequestError(f"The {name} should be divisible by {unit}, and {pixels} is not: take {near}.")
    return pixels


def seed_of(value: object) -> int:
    """A seed of torch's generators, drawn where it is None."""
    if value is None:
        return secrets.randbelow(1 << 32)
    if not _is_whole(value) or not 0 <= value < SEED_LIMIT:
        raise RequestError(f"The seed should be a whole number from 0 to 2**64 - 1, not {value}.")
    return int(value)


def generator_of(name: object) -> str:
    """A generator's name as the table of GPUs has it."""
    try:
        return generator_name(str(name))  # whoever comes from diffusers may hand over a generator
    except ValueError as error:
        raise RequestError(str(error)) from error


def compat_of(name: str) -> Compat:
    """Whose conventions a run follows."""
    if name not in list(Compat):
        raise RequestError(f"compat should be one of {', '.join(Compat)}, not {name!r}.")
    return Compat(name)


def _is_whole(value: object) -> TypeGuard[int]:
    return isinstance(value, Integral) and not isinstance(value, bool)


def _as_float(value: object) -> float:
    """A number as Python's, and no number where it is none or too large for one."""
    if not isinstance(value, Real) or isinstance(value, bool):
        return math.nan
    try:
        return float(value)
    except OverflowError:
        return math.inf
