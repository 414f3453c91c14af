"""Reads a GGUF header's values one after the other, and never beyond what is there."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

from vidrt_reference.checkpoint.errors import CheckpointError

if TYPE_CHECKING:
    from pathlib import Path

# The format has no limit of its own; a vocabulary of 256,000 words with its merges takes about 10 MB.
LONGEST_HEADER = 32 << 20
_NUMBERS = {
    0: struct.Struct("<B"),
    1: struct.Struct("<b"),
    2: struct.Struct("<H"),
    3: struct.Struct("<h"),
    4: struct.Struct("<I"),
    5: struct.Struct("<i"),
    6: struct.Struct("<f"),
    7: struct.Struct("<?"),
    10: struct.Struct("<Q"),
    11: struct.Struct("<q"),
    12: struct.Struct("<d"),
}
_STRING, _ARRAY = 8, 9
_U32, _U64 = _NUMBERS[4], _NUMBERS[10]


class Cursor:
    """A place in the first part of a file, of which it holds no more than the longest header."""

    def __init__(self, path: Path) -> None:
        self.path, self.size = path, path.stat().st_size
        with path.open("rb") as file:
            self._bytes = file.read(min(self.size, LONGEST_HEADER))
        self.at = 0

    def take(self, count: int) -> bytes:
        """Return the next bytes.

        Raises:
            CheckpointError: the file ends before them, or the header is longer than any should be.
        """
        end = self.at + count
        if end > self.size:
            raise CheckpointError(
                f"Expected at least {end} bytes in {self.path}, but it has {self.size}: "
                f"it is truncated or damaged, download it again."
            )
        if end > len(self._bytes):
            raise CheckpointError(
                f"Expected a GGUF header of at most {LONGEST_HEADER} bytes in {self.path}, but it goes on to byte "
                f"{end}: the file is damaged, download it again."
            )
        taken, self.at = self._bytes[self.at : end], end
        return taken

    def u32(self) -> int:
        """Return the next four bytes as a number."""
        return int(_U32.unpack(self.take(_U32.size))[0])

    def u64(self) -> int:
        """Return the next eight bytes as a number."""
        return int(_U64.unpack(self.take(_U64.size))[0])

    def text(self, longest: int = LONGEST_HEADER) -> str:
        """Return the next string.

        Raises:
            CheckpointError: it is not UTF-8, or longer than what is left or may be.
        """
        if (length := self.u64()) > longest:
            raise self.damaged(f"a name in its header is {length} bytes long")
        taken = self.take(length)
        try:
            return taken.decode("utf-8")
        except UnicodeDecodeError as error:
            raise self.damaged("a name or a text in its header is not UTF-8") from error

    def value(self) -> object:
        """Return the next value of the metadata: a number or a text; of an array only that it is one, as None."""
        kind = self.u32()
        if kind == _ARRAY:
            self._pass_array()
            return None
        return self.text() if kind == _STRING else self._number(kind)

    def damaged(self, why: str) -> CheckpointError:
        """Make the error for a file that is not what it says."""
        return CheckpointError(f"Expected a whole GGUF file at {self.path}, but {why}: download or convert it again.")

    def _number(self, kind: int) -> object:
        return self._form(kind).unpack(self.take(self._form(kind).size))[0]

    def _form(self, kind: int) -> struct.Struct:
        if kind not in _NUMBERS:
            raise self.damaged(f"its metadata has a value of the kind {kind}, which the format does not have")
        return _NUMBERS[kind]

    def _pass_array(self) -> None:
        kind, count = self.u32(), self.u64()
        if kind != _STRING:  # an array of arrays is no kind of number, and so is refused
            self.take(count * self._form(kind).size)
            return
        for _ in range(min(count, LONGEST_HEADER)):  # each takes eight bytes at least, so the end comes soon
            self.take(self.u64())
