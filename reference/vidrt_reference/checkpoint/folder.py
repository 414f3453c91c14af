"""A component's folder in diffusers' layout: its configuration, and its weights in one file or in shards."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from vidrt_reference.checkpoint.errors import CheckpointError
from vidrt_reference.checkpoint.stored import StoredTensor, read_header

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

STEMS = ("diffusion_pytorch_model", "model")  # as diffusers and as transformers call them
VARIANTS = ("fp16", "bf16")  # taken where there is no plain file
_PICKLES = (".bin", ".pt", ".pth", ".ckpt")
CONFIG = "config.json"


def component_tensors(folder: Path) -> dict[str, StoredTensor]:
    """Find all tensors of a component: plain files first, then variants; of each, one file first, then shards.

    Raises:
        CheckpointError: there are no such files, or a shard lacks what the index says.
    """
    if not folder.is_dir():
        raise CheckpointError(
            f"Expected a component's folder at {folder}, but there is none: check the checkpoint's path."
        )
    for whole, index in _candidates():
        if (folder / whole).is_file():
            return read_header(folder / whole)
        if (folder / index).is_file():
            return _sharded(folder / index)
    raise _no_weights(folder)


def read_config(folder: Path, *, class_name: str | None = None) -> dict[str, object]:
    """Read a component's config.json, of the class named where one is.

    Raises:
        CheckpointError: it is missing, no JSON object, or another class's.
    """
    config = read_json_object(folder / CONFIG)
    if class_name is not None and config.get("_class_name") != class_name:
        raise CheckpointError(
            f"Expected {class_name!r} as the _class_name in {folder / CONFIG}, but it is "
            f"{config.get('_class_name')!r}: use a checkpoint of a supported family."
        )
    return config


def _candidates() -> Iterator[tuple[str, str]]:
    for stem in STEMS:
        yield f"{stem}.safetensors", f"{stem}.safetensors.index.json"
    for variant in VARIANTS:
        for stem in STEMS:
            yield f"{stem}.{variant}.safetensors", f"{stem}.safetensors.index.{variant}.json"


def _sharded(index: Path) -> dict[str, StoredTensor]:
    weight_map = _weight_map(index)
    found = {}
    for shard in sorted(set(weight_map.values())):
        tensors = read_header(_shard_path(index, shard))
        wanted = {name for name, file in weight_map.items() if file == shard}
        if tensors.keys() != wanted:
            raise CheckpointError(
                f"Expected {shard} to hold the {len(wanted)} tensors that {index} names, but "
                f"{_some(tensors.keys() ^ wanted)} differ: download both again."
            )
        found.update(tensors)
    return found


def _weight_map(index: Path) -> dict[str, str]:
    weight_map = read_json_object(index).get("weight_map")
    if not isinstance(weight_map, dict) or not all(isinstance(file, str) for file in weight_map.values()):
        raise CheckpointError(
            f"Expected a weight_map of tensor names to files in {index}, but there is none: download it again."
        )
    return weight_map


def _shard_path(index: Path, shard: str) -> Path:
    path = index.parent / shard
    # a name may not lead out of the folder
    if path.parent != index.parent or shard in {"", ".", ".."} or "\\" in shard:
        raise CheckpointError(f"Expected plain file names in {index}, but it names {shard!r}: download it again.")
    if not path.is_file():
        raise CheckpointError(f"Expected the shard {shard} that {index} names, but there is none: download it.")
    return path


def read_json_object(path: Path) -> dict[str, object]:
    """Read a JSON file that holds an object.

    Raises:
        CheckpointError: it is missing, no JSON, or holds something else.
    """
    if not path.is_file():
        raise CheckpointError(f"Expected a JSON file at {path}, but there is none: check the checkpoint's path.")
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise CheckpointError(
            f"Expected JSON in {path}, but it cannot be parsed ({error}): download it again."
        ) from error
    if not isinstance(value, dict):
        raise CheckpointError(
            f"Expected a JSON object in {path}, but it is a {type(value).__name__}: download it again."
        )
    return value


def _no_weights(folder: Path) -> CheckpointError:
    pickles = sorted(path.name for path in folder.iterdir() if path.suffix in _PICKLES)
    if pickles:
        return CheckpointError(
            f"Expected safetensors weights in {folder}, but there is only {pickles[0]}: "
            f"save the model again with safe_serialization=True."
        )
    names = ", ".join(name for pair in _candidates() for name in pair)
    return CheckpointError(f"Expected weights in {folder}, but there is none of {names}: download the component again.")


def _some(names: set[str], shown: int = 3) -> str:
    return ", ".join(sorted(names)[:shown]) + (f" and {len(names) - shown} more" if len(names) > shown else "")
