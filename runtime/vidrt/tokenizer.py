"""T5's tokenizer, from a bundle's tokenizer.json."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from vidrt_engines.errors import BundleError

from vidrt.arrays import IntArray

if TYPE_CHECKING:
    from tokenizers import Tokenizer as Library

PAD, END = "<pad>", "</s>"


@dataclass(frozen=True, kw_only=True)
class Tokens:
    """A prompt in tokens: `ids` (L,) int64 ends with the end token; `cut` is the text that was over the limit."""

    ids: IntArray
    cut: str | None = None


class Tokenizer:
    """Turns prompts into token ids."""

    def __init__(self, path: Path) -> None:
        self._library = _open(path)
        self.pad_id = self._id_of(PAD, path)
        self.end_id = self._id_of(END, path)

    def encode(self, prompt: str, limit: int) -> Tokens:
        """Tokenises a prompt, keeping at most `limit` tokens of which the last is the end token."""
        ids = self._library.encode(prompt).ids
        if len(ids) <= limit:
            return Tokens(ids=np.array(ids, np.int64))
        cut = self._library.decode(ids[limit - 1 : -1])
        return Tokens(ids=np.array([*ids[: limit - 1], self.end_id], np.int64), cut=cut)

    def pad(self, ids: IntArray, length: int) -> IntArray:
        """Fills ids (L,) up to `length` with the padding token."""
        return np.pad(ids, (0, length - len(ids)), constant_values=self.pad_id)

    def _id_of(self, token: str, path: Path) -> int:
        found: int | None = self._library.token_to_id(token)
        if found is None:
            raise BundleError(f"{path} has no token {token}, so it is no T5 tokenizer; build the bundle again.")
        return found


def _open(path: Path) -> "Library":
    from tokenizers import Tokenizer as Library

    try:
        library = Library.from_file(str(path))
    except Exception as error:  # the library raises plain Exception
        raise BundleError(f"{path} is no tokenizer.json: {error}.") from error
    library.no_truncation()  # a saved limit would cut off the end token
    library.no_padding()
    return library
