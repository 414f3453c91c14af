"""A LoRA merged into a model: every module found, every shape checked, and recipes for the weights that it changes."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from vidrt_reference.checkpoint.errors import CheckpointError
from vidrt_reference.checkpoint.read import read_tensor
from vidrt_reference.lora.adapter import FLOATS
from vidrt_reference.lora.keys import Role
from vidrt_reference.lora.merged import Difference, LowRank, merged
from vidrt_reference.lora.modules import matched, module_names, spellings

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from vidrt_reference.checkpoint.stored import StoredTensor
    from vidrt_reference.lora.adapter import Adapter, Change
    from vidrt_reference.lora.merged import Term


def merge(
    tensors: Mapping[str, StoredTensor], adapter: Adapter, scale: float, *, parts: Mapping[str, str], what: str
) -> dict[str, StoredTensor]:
    """Add a LoRA to a model's weights, which are made when they are read; of the LoRA every value is looked at.

    Args:
        tensors: the model's, by their names here.
        adapter: the LoRA.
        scale: what it is multiplied by besides the scale of its own.
        parts: what the model's authors call parts of names, as for `spellings`.
        what: the model, for errors.

    Raises:
        CheckpointError: it has a module that the model does not have, a shape that does not fit, or a value that is
            not finite.
    """
    result = dict(tensors)
    for module, change in matched(adapter, spellings(module_names(tensors), parts), what=what).items():
        for name, term in _terms(module, change, scale, adapter).items():
            _check(name, term, tensors, adapter.path, what)
            result[name] = merged(result[name], term)
    return result


def _terms(module: str, change: Change, scale: float, adapter: Adapter) -> dict[str, Term]:
    """What is added to a module's weight and bias."""
    weight, bias = f"{module}.weight", f"{module}.bias"
    found: dict[str, Term] = {}
    if Role.DIFFERENCE in change:
        found[weight] = Difference(scale=scale, value=change[Role.DIFFERENCE])
    if Role.BIAS_DIFFERENCE in change:
        found[bias] = Difference(scale=scale, value=change[Role.BIAS_DIFFERENCE])
    if Role.DOWN in change:
        own = scale * _own_scale(module, change, adapter)
        _refuse_two(module, change, adapter.path)
        found[weight] = LowRank(scale=own, down=change[Role.DOWN], up=change[Role.UP])
        if Role.UP_BIAS in change:
            found[bias] = Difference(scale=own, value=change[Role.UP_BIAS])
    return found


def _own_scale(module: str, change: Change, adapter: Adapter) -> float:
    """Alpha over the rank, as the file's tensors or its configuration have it; 1 where neither says."""
    rank = _rank(module, change, adapter.path)
    if Role.ALPHA not in change:
        return adapter.config.scale(module, rank)
    values = read_tensor(change[Role.ALPHA]).double().flatten().tolist()
    if len(values) != 1 or not math.isfinite(values[0]):
        raise CheckpointError(
            f"Expected one finite alpha for {module} in {adapter.path}, but it is {values[:3]}: save it again."
        )
    return float(values[0]) / rank


def _rank(module: str, change: Change, path: Path) -> int:
    down, up = change[Role.DOWN].shape, change[Role.UP].shape
    if len(down) != 2 or len(up) != 2 or down[0] != up[1] or not down[0]:  # noqa: PLR2004 - matrices
        raise CheckpointError(
            f"Expected matrices of one rank for {module} in {path}, but they are {list(up)} and {list(down)}: "
            f"use a LoRA of linear layers alone."
        )
    return down[0]


def _refuse_two(module: str, change: Change, path: Path) -> None:
    for role, other in ((Role.DIFFERENCE, Role.DOWN), (Role.BIAS_DIFFERENCE, Role.UP_BIAS)):
        if role in change and other in change:
            raise CheckpointError(f"Expected a {role} or a {other} for {module} in {path}, but there are both.")


def _check(name: str, term: Term, tensors: Mapping[str, StoredTensor], path: Path, what: str) -> None:
    """Compares what is added with what is there, then looks at its values."""
    shape = (term.up.shape[0], term.down.shape[1]) if isinstance(term, LowRank) else term.value.shape
    if name not in tensors or tensors[name].shape != shape:
        came = f"the {what}'s is {list(tensors[name].shape)}" if name in tensors else f"the {what} has none"
        raise CheckpointError(
            f"Expected {name} to be as {path} changes it, {list(shape)}, but {came}: "
            f"use a LoRA that was trained on this model."
        )
    if tensors[name].dtype not in FLOATS:
        raise CheckpointError(
            f"Expected {name} as floating point, but it is {tensors[name].dtype}: "
            f"merge LoRAs into a checkpoint that is not quantised."
        )
    for source in term.sources():
        if not bool(read_tensor(source).isfinite().all()):
            raise CheckpointError(
                f"Expected finite numbers in {path}, but {source.name} has others: train or download it again."
            )
