"""Frozen dataclasses to JSON and back, with errors that name the place."""

import dataclasses
import json
import math
import types
import typing
from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path

from vidrt_engines.errors import BundleError

T = typing.TypeVar("T")

_LARGEST = 1 << 1023  # whole numbers below this have a float


def encode(value: object) -> object:
    """Turns dataclasses, tuples and enums into what `json` writes; fields that hold their default None are left out."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        pairs = ((field.name, getattr(value, field.name)) for field in dataclasses.fields(value))
        return {name: encode(item) for name, item in pairs if item is not None}
    if isinstance(value, Mapping):
        return {str(key): encode(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [encode(item) for item in value]
    return str(value) if isinstance(value, StrEnum) else value


def decode(kind: type[T], value: object, where: str) -> T:
    """Builds `kind` from parsed JSON.

    Fields that this version does not know are passed over: only a raised format number forbids reading.

    Raises:
        BundleError: a field is missing or of the wrong type; the message starts with its place.
    """
    return typing.cast("T", _decode(kind, value, where))


def read_json(path: Path) -> object:
    """Parses a JSON file.

    Raises:
        BundleError: the file cannot be read or is no JSON.
    """
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise BundleError(f"{path} cannot be read: {error.strerror}.") from error
    except (ValueError, RecursionError) as error:
        raise BundleError(f"{path} is not JSON: {error}; build the bundle again with build-engines.") from error


def _decode(kind: typing.Any, value: object, where: str) -> object:
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return value  # read before, as one of several kinds
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if origin in (types.UnionType, typing.Union):
        return None if value is None else _decode(next(a for a in arguments if a is not types.NoneType), value, where)
    if origin is tuple:
        return tuple(_decode(arguments[0], item, f"{where}[{i}]") for i, item in enumerate(_list(value, where)))
    if origin is dict:
        return {key: _decode(arguments[1], item, f"{where}.{key}") for key, item in _object(value, where).items()}
    if dataclasses.is_dataclass(kind):
        return _dataclass(typing.cast("type", kind), _object(value, where), where)
    return _scalar(kind, value, where)


def _dataclass(kind: type, value: Mapping[str, object], where: str) -> object:
    hints = typing.get_type_hints(kind)
    fields = dataclasses.fields(kind)
    optional = {
        f.name for f in fields if f.default is not dataclasses.MISSING or f.default_factory is not dataclasses.MISSING
    }
    if missing := [f.name for f in fields if f.name not in value and f.name not in optional]:
        raise BundleError(f"{where} lacks {', '.join(missing)}; build the bundle again with build-engines.")
    present = [f.name for f in fields if f.name in value]
    return kind(**{name: _decode(hints[name], value[name], f"{where}.{name}") for name in present})


def _scalar(kind: typing.Any, value: object, where: str) -> object:
    if isinstance(kind, type) and issubclass(kind, StrEnum):
        if value not in list(kind):
            raise BundleError(f"{where} should be one of {', '.join(kind)}, not {value!r}.")
        return kind(str(value))
    if kind is float and isinstance(value, int) and not isinstance(value, bool) and abs(value) < _LARGEST:
        value = float(value)
    fits = isinstance(value, kind) and (kind is bool or not isinstance(value, bool))
    if not fits or (isinstance(value, float) and not math.isfinite(value)):
        raise BundleError(f"{where} should be {kind.__name__}, not {value!r}.")
    return value


def _list(value: object, where: str) -> list[object]:
    if not isinstance(value, list):
        raise BundleError(f"{where} should be a list, not {value!r}.")
    return value


def _object(value: object, where: str) -> dict[str, object]:
    if not isinstance(value, dict):
        raise BundleError(f"{where} should be an object, not {value!r}.")
    return value
