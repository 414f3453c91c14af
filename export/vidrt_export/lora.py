"""A LoRA as the command line names it: a file, and how strong it shall be."""

import math
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from vidrt_reference.checkpoint.errors import CheckpointError
from vidrt_reference.lora.adapter import Adapter, read_adapter

from vidrt_export.writing.files import file_hash


@dataclass(frozen=True, kw_only=True)
class Lora:
    """A LoRA that is to be merged, its header read."""

    adapter: Adapter
    scale: float

    @property
    def path(self) -> Path:
        """The file."""
        return self.adapter.path

    @property
    def option(self) -> str:
        """What follows --lora, the file by its name alone."""
        return f"{self.path.name}:{self.scale!r}"

    @cached_property
    def told(self) -> str:
        """What a bundle says of it: enough to find the file again, wherever it lies."""
        return f"{self.option} sha256 {file_hash(self.path)}"


def parse_lora(text: str) -> Lora:
    """Reads `FILE` or `FILE:SCALE`; a file that bears the whole as its name comes first.

    Raises:
        CheckpointError: there is no such file, it is no LoRA, or the scale is no number that has an effect.
    """
    path, scale = _split(text)
    if path.is_dir():
        raise CheckpointError(
            f"Expected a file after --lora, but {path} is a folder: name the .safetensors file in it."
        )
    if not path.exists():
        raise CheckpointError(f"Expected a .safetensors file after --lora, but there is none at {path}.")
    return Lora(adapter=read_adapter(path), scale=scale)


def _split(text: str) -> tuple[Path, float]:
    whole = Path(text).expanduser()
    head, colon, tail = text.rpartition(":")
    if whole.exists() or not colon or not head:
        return whole, 1.0
    path = Path(head).expanduser()
    try:
        scale = float(tail)
    except ValueError:
        if path.exists():
            raise _scale_error(text, tail) from None
        return whole, 1.0  # the colon is of the name
    if not math.isfinite(scale) or not scale:
        raise _scale_error(text, tail)
    return path, scale


def _scale_error(text: str, scale: str) -> CheckpointError:
    return CheckpointError(
        f"Expected --lora FILE:SCALE with a finite number other than 0, but {text} has {scale!r}: "
        f"give a number such as 0.8, or leave the LoRA out."
    )
