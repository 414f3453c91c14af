"""Checkpoints with other weights."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

from safetensors.torch import load_file, save_file

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from torch import Tensor


def edit_weights(checkpoint: Path, component: str, edit: Callable[[str, Tensor], Tensor]) -> None:
    """Give each weight of a component what a function of its name and value returns."""
    (path,) = (checkpoint / component).glob("*.safetensors")
    edited = {name: edit(name, value).contiguous() for name, value in load_file(path).items()}
    save_file(edited, path, metadata={"format": "pt"})


def edited_copy(source: Path, folder: Path, component: str, edit: Callable[[str, Tensor], Tensor]) -> Path:
    """Return a copy of a checkpoint with a component's weights edited."""
    shutil.copytree(source, folder)
    edit_weights(folder, component, edit)
    return folder


def scaled(factors: dict[str, float]) -> Callable[[str, Tensor], Tensor]:
    """Return an edit that multiplies the weights whose names end so."""

    def edit(name: str, value: Tensor) -> Tensor:
        found = [factor for ending, factor in factors.items() if name.endswith(ending)]
        return value * found[0] if found else value

    return edit
