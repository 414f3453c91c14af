"""How strong an adapter is where its tensors do not say it: peft's configuration, in the file or beside it."""

from __future__ import annotations

import json
import math
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from vidrt_reference.checkpoint.errors import CheckpointError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

METADATA = "lora_adapter_metadata"  # where diffusers puts it
_MODELS = ("transformer.", "unet.")  # in front of each key, where a pipeline saved the file


@dataclass(frozen=True, kw_only=True)
class AdapterConfig:
    """What decides the scale of an adapter's products.

    Attributes:
        alpha: for every module; None for as much as the rank.
        alpha_pattern: others, by a regular expression that the end of a module's name matches.
        use_rslora: whether alpha is divided by the root of the rank instead of the rank.
    """

    alpha: float | None = None
    alpha_pattern: Mapping[str, float] = field(default_factory=dict)
    use_rslora: bool = False

    def scale(self, module: str, rank: int) -> float:
        """What a module's product is multiplied by."""
        found = (alpha for pattern, alpha in self.alpha_pattern.items() if _fits(pattern, module))
        alpha = next(found, self.alpha)
        if alpha is None:
            return 1.0
        return alpha / math.sqrt(rank) if self.use_rslora else alpha / rank


def config_of_metadata(path: Path, metadata: Mapping[str, str]) -> AdapterConfig | None:
    """Read what diffusers has written into a file's header.

    Raises:
        CheckpointError: it is damaged, or of an adapter that is not supported.
    """
    if METADATA not in metadata:
        return None
    try:
        values = json.loads(metadata[METADATA])
    except (ValueError, RecursionError) as error:
        raise _wrong(path, "is not JSON") from error
    return None if values is None else read_config(path, values)


def read_config(path: Path, values: object) -> AdapterConfig:
    """Read peft's configuration.

    Args:
        path: where it comes from, for errors.
        values: what JSON gave.

    Raises:
        CheckpointError: a value is of the wrong type, or of an adapter that is not supported.
    """
    if not isinstance(values, dict):
        raise _wrong(path, "is no object")
    values = {_bare(key): value for key, value in values.items()}
    if values.get("use_dora"):
        raise CheckpointError(f"Expected LoRA in {path}, but it is DoRA: merge it with its own tools, or use a LoRA.")
    pattern = values.get("alpha_pattern") or {}
    if not isinstance(pattern, dict):
        raise _wrong(path, "has an alpha_pattern that is no object")
    alpha, use_rslora = values.get("lora_alpha"), values.get("use_rslora") or False
    if not isinstance(use_rslora, bool):
        raise _wrong(path, "has a use_rslora that is neither true nor false")
    return AdapterConfig(
        alpha=None if alpha is None else _number(path, "lora_alpha", alpha),
        alpha_pattern={_regular(path, key): _number(path, key, value) for key, value in pattern.items()},
        use_rslora=use_rslora,
    )


def _bare(key: str) -> str:
    for model in _MODELS:
        key = key.removeprefix(model)
    return key


def _fits(pattern: str, module: str) -> bool:
    return re.match(rf"(.*\.)?({pattern})$", module) is not None  # as peft reads it


def _regular(path: Path, pattern: str) -> str:
    try:
        re.compile(pattern)
    except re.error as error:
        raise _wrong(path, f"has the pattern {pattern!r}, which is no regular expression") from error
    return pattern


def _number(path: Path, name: str, value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise _wrong(path, f"has {value!r} as the alpha {name!r}")
    return float(value)


def _wrong(path: Path, what: str) -> CheckpointError:
    return CheckpointError(f"Expected peft's configuration with {path}, but it {what}: save the LoRA again.")
