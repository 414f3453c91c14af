"""The record that repeats a run: `video.json`."""

import json
import os
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from vidrt.output.paths import replacing


def write_record(path: Path, record: Mapping[str, object]) -> None:
    """Writes a record as JSON, in its own order.

    Args:
        path: The file, whole or not there at all.
        record: Of what JSON knows, and numpy's scalars and arrays, mappings and paths.

    Raises:
        OutputError: The file cannot be written.
        ValueError: A number is infinite or not one, which JSON cannot say.
        TypeError: A value is of another kind.
    """
    text = json.dumps(record, indent=2, ensure_ascii=False, allow_nan=False, default=_plain)
    with replacing(path) as temporary:
        temporary.write_text(text + "\n", encoding="utf-8")


def _plain(value: object) -> object:
    if isinstance(value, np.generic | np.ndarray):
        return value.tolist()
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, os.PathLike):
        return os.fspath(value)
    raise TypeError(f"a record cannot hold {value!r}")
