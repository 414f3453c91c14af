"""A LoRA file: what it holds for each module."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from vidrt_reference.checkpoint.errors import CheckpointError
from vidrt_reference.checkpoint.folder import read_json_object
from vidrt_reference.checkpoint.stored import read_header, read_metadata
from vidrt_reference.lora.config import AdapterConfig, config_of_metadata, read_config
from vidrt_reference.lora.keys import Role, parse_key

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from vidrt_reference.checkpoint.stored import StoredTensor

Change = dict[Role, "StoredTensor"]

FLOATS = ("F64", "F32", "F16", "BF16")
_PEFT, _PEFT_CONFIG = "base_model.model.", "adapter_config.json"
# What each needs to mean anything.
_PARTNERS = {Role.DOWN: Role.UP, Role.UP: Role.DOWN, Role.UP_BIAS: Role.UP, Role.ALPHA: Role.DOWN}


@dataclass(frozen=True, kw_only=True)
class Adapter:
    """A LoRA file whose header has been read.

    Attributes:
        path: the file.
        changes: by module, spelled as in the file, its tensors by role.
        config: the scale of products where no alpha is among the tensors.
    """

    path: Path
    changes: Mapping[str, Change]
    config: AdapterConfig


def read_adapter(path: Path) -> Adapter:
    """Read a LoRA file's header; no value is read.

    Raises:
        CheckpointError: it is no safetensors file, damaged, empty, incomplete, or another kind of adapter.
    """
    stored = read_header(path)
    if not stored:
        raise CheckpointError(f"Expected a LoRA in {path}, but the file is empty: save or download it again.")
    changes: dict[str, Change] = {}
    for key, tensor in stored.items():
        try:
            module, role = parse_key(key)
        except CheckpointError as error:
            raise CheckpointError(f"{path.name}: {error}") from error
        _check_dtype(path, tensor)
        if role in changes.setdefault(module, {}):
            raise CheckpointError(f"Expected one {role} of {module} in {path}, but there are two: save it again.")
        changes[module][role] = tensor
    _check_complete(path, changes)
    return Adapter(path=path, changes=changes, config=_config(path, stored))


def _config(path: Path, stored: Mapping[str, StoredTensor]) -> AdapterConfig:
    if config := config_of_metadata(path, read_metadata(path)):
        return config
    beside = path.with_name(_PEFT_CONFIG)
    if beside.is_file() and any(key.startswith(_PEFT) for key in stored):
        return read_config(beside, read_json_object(beside))
    return AdapterConfig()


def _check_dtype(path: Path, tensor: StoredTensor) -> None:
    if tensor.dtype not in FLOATS:
        raise CheckpointError(
            f"Expected floating point in {path}, but {tensor.name} is {tensor.dtype}: use a LoRA in F32, F16 or BF16."
        )


def _check_complete(path: Path, changes: Mapping[str, Change]) -> None:
    for module, change in changes.items():
        for role, partner in _PARTNERS.items():
            if role in change and partner not in change:
                raise CheckpointError(
                    f"Expected pairs of matrices in {path}, but {module} has its {role} and no {partner}: "
                    f"save or download it again."
                )
