"""Embeddings of prompts, kept on disk, so that a prompt that was seen before needs no text encoder."""

import contextlib
import hashlib
from pathlib import Path

import numpy as np
from vidrt_engines.manifest import Engine
from vidrt_engines.places import prompt_caches

from vidrt.arrays import FloatArray, IntArray
from vidrt.errors import RequestError
from vidrt.output.errors import OutputError
from vidrt.tensor_files import read_tensors, write_tensors

MOST = 512
_NAME = "embeddings"


class PromptCache:
    """Embeddings by what the text encoder saw and by the encoder itself; the prompt is not written down.

    What cannot be read or written is as good as not there: a cache never makes a run fail.

    Args:
        engine: of the text encoder.
        folder: where the files lie; None for the user's cache.
        most: how many prompts are kept; the one that was not asked for longest goes first.
    """

    def __init__(self, engine: Engine, folder: Path | None = None, most: int = MOST) -> None:
        self._folder, self._most = prompt_caches() if folder is None else folder, most
        self._encoder = engine.identity

    def find(self, ids: IntArray) -> FloatArray | None:
        """The embeddings (1, L, D) of token ids (L,), if they were kept."""
        path = self._path(ids)
        if not path.is_file():
            return None
        try:
            embeddings = read_tensors(path)[_NAME]
        except (RequestError, KeyError):
            return None
        if embeddings.shape[:2] != (1, len(ids)) or not np.isfinite(embeddings).all():
            return None
        with contextlib.suppress(OSError):
            path.touch()
        return embeddings

    def keep(self, ids: IntArray, embeddings: FloatArray) -> None:
        """Writes the embeddings (1, L, D) of token ids (L,)."""
        path = self._path(ids)
        with contextlib.suppress(OSError, OutputError):
            path.parent.mkdir(parents=True, exist_ok=True)
            write_tensors(path, {_NAME: embeddings})
            self._forget()

    def _path(self, ids: IntArray) -> Path:
        digest = hashlib.sha256(self._encoder.encode())
        digest.update(np.ascontiguousarray(ids, np.int64).tobytes())
        return self._folder / f"{digest.hexdigest()}.safetensors"

    def _forget(self) -> None:
        """Removes what is over the number to be kept."""
        kept = sorted(self._folder.glob("*.safetensors"), key=lambda path: path.stat().st_mtime)
        for path in kept[: max(len(kept) - self._most, 0)]:
            path.unlink(missing_ok=True)
