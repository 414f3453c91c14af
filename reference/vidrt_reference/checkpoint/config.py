"""The values of a component's config.json, each read with its type checked."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from vidrt_reference.checkpoint.errors import CheckpointError

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence


@dataclass(frozen=True, kw_only=True)
class Config:
    """A configuration whose values are asked for by key, type and default; `what` and `where` name it in errors."""

    what: str
    values: Mapping[str, object]
    where: str = "config.json"

    def integer(self, key: str, default: int | None) -> int:
        """Return a positive integer; without a default the key must be there."""
        value = self.values.get(key, default)
        if not _is_positive_integer(value):
            raise self._error(key, "a positive integer", value)
        return int(value)  # type: ignore[call-overload,no-any-return]  # the check above

    def optional_integer(self, key: str) -> int | None:
        """Return a positive integer, or None where the key is absent or null."""
        return None if self.values.get(key) is None else self.integer(key, None)

    def number(self, key: str, default: float) -> float:
        """Return a positive finite number."""
        value = self.values.get(key, default)
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < math.inf:
            raise self._error(key, "a positive number", value)
        return float(value)

    def flag(self, key: str, default: bool) -> bool:
        """Return true or false."""
        value = self.values.get(key, default)
        if not isinstance(value, bool):
            raise self._error(key, "true or false", value)
        return value

    def integers(self, key: str, default: Sequence[int]) -> tuple[int, ...]:
        """Return a list of positive integers."""
        values = self._list(key, default, "a list of positive integers")
        if not all(map(_is_positive_integer, values)):
            raise self._error(key, "a list of positive integers", values)
        return tuple(int(value) for value in values)  # type: ignore[call-overload]  # the check above

    def flags(self, key: str, default: Sequence[bool]) -> tuple[bool, ...]:
        """Return a list of true and false."""
        values = self._list(key, default, "a list of true and false")
        if not all(isinstance(value, bool) for value in values):
            raise self._error(key, "a list of true and false", values)
        return tuple(bool(value) for value in values)

    def word(self, key: str, default: str, *, allowed: Collection[str]) -> str:
        """Return one of `allowed`."""
        value = self.values.get(key, default)
        if not isinstance(value, str) or value not in allowed:
            raise self._error(key, _alternatives(allowed), value)
        return str(value)

    def words(self, key: str, default: Sequence[str], *, allowed: Collection[str]) -> tuple[str, ...]:
        """Return a list of words, each one of `allowed`."""
        wanted = f"a list of {_alternatives(allowed)}"
        values = self._list(key, default, wanted)
        if not all(isinstance(value, str) and value in allowed for value in values):
            raise self._error(key, wanted, values)
        return tuple(str(value) for value in values)

    def require(self, key: str, wanted: object, *, default: object) -> None:
        """Refuse any value of `key` but the one that is implemented."""
        value = self.values.get(key, default)
        if type(value) is not type(wanted) or value != wanted:
            raise self._error(key, repr(wanted), value)

    def refuse_others(self, known: Collection[str]) -> None:
        """Refuse a public key that nothing here reads: it may change what weights mean, as quantization_config does."""
        others = [
            key for key, value in self.values.items() if key not in known and key[:1] != "_" and value is not None
        ]
        if others:
            raise CheckpointError(
                f"The {self.what}'s {self.where} was expected to hold only keys that are implemented, but has "
                f"{', '.join(map(repr, sorted(others)))}: use a checkpoint of an architecture that is supported."
            )

    def _list(self, key: str, default: Sequence[object], wanted: str) -> Sequence[object]:
        values = self.values.get(key, default)
        if not isinstance(values, list | tuple) or not values:
            raise self._error(key, wanted, values)
        return values

    def _error(self, key: str, wanted: str, value: object) -> CheckpointError:
        came = repr(value) if key in self.values else "nothing"
        return CheckpointError(
            f"The {self.what}'s {self.where} was expected to have {wanted} at {key!r}, but has {came}: "
            f"mend the file or use a checkpoint of an architecture that is supported."
        )


def _is_positive_integer(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value > 0


def _alternatives(words: Collection[str]) -> str:
    return " or ".join(repr(str(word)) for word in words)
