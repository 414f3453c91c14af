"""Strict loading: every parameter gets its value, and every stored tensor has its place."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from vidrt_reference.checkpoint.errors import CheckpointError
from vidrt_reference.checkpoint.read import read_tensor

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence

    from vidrt_reference.checkpoint.stored import StoredTensor

_FLOATS = ("F64", "F32", "F16", "BF16")
_SHOWN = 3


def match(
    expected: Mapping[str, tuple[int, ...]],
    stored: Mapping[str, StoredTensor],
    *,
    what: str,
    optional: Collection[str] = (),
) -> None:
    """Check that a checkpoint holds exactly the tensors expected, each of the shape expected.

    Args:
        expected: the shape of each tensor by name.
        stored: what the checkpoint holds.
        what: the component's name, for the error.
        optional: names that may be stored although nothing expects them; they are not used.

    Raises:
        CheckpointError: names the keys missing, left over and of the wrong shape, the first of each, and counts them.
    """
    missing = [name for name in expected if name not in stored]
    left_over = [name for name in stored if name not in expected and name not in optional]
    wrong = [
        f"{name} {list(stored[name].shape)} instead of {list(shape)}"
        for name, shape in expected.items()
        if name in stored and stored[name].shape != tuple(shape)
    ]
    faults = [("missing", missing), ("left over", left_over), ("of the wrong shape", wrong)]
    if any(names for _, names in faults):
        told = "; ".join(f"{len(names)} {fault} ({_some(names)})" for fault, names in faults if names)
        raise CheckpointError(
            f"Expected the {what}'s {len(expected)} tensors, but the checkpoint has {told}: "
            f"use weights and a configuration that belong together."
        )


def load(
    module: nn.Module, stored: Mapping[str, StoredTensor], *, what: str | None = None, optional: Collection[str] = ()
) -> None:
    """Fill a module with the values stored, one tensor at a time, in the dtype that each parameter has.

    Parameters on the meta device are replaced, so that a module of any size can be built without memory; a value that
    needs no cast then stays mapped from its file. Afterwards no parameter asks for gradients.

    Args:
        module: on any device, the meta device included.
        stored: by the module's own parameter names.
        what: the component's name, for errors; the class's name where None.
        optional: names that may be stored although the module has none such, as in `match`.

    Raises:
        CheckpointError: a key is missing, left over, of the wrong shape, or quantised.
    """
    what = what or type(module).__name__
    slots = {**dict(module.named_parameters()), **dict(_persistent_buffers(module))}
    match({name: tuple(slot.shape) for name, slot in slots.items()}, stored, what=what, optional=optional)
    _refuse_quantised({name: stored[name] for name in slots}, what)
    for name, slot in slots.items():
        _fill(module, name, slot, read_tensor(stored[name]))
    module.requires_grad_(requires_grad=False)


@torch.no_grad()
def _fill(module: nn.Module, name: str, slot: Tensor, value: Tensor) -> None:
    if not slot.is_meta:
        slot.copy_(value)
        return
    path, _, leaf = name.rpartition(".")
    filled = value.to(slot.dtype)
    is_parameter = isinstance(slot, nn.Parameter)
    setattr(module.get_submodule(path), leaf, nn.Parameter(filled, requires_grad=False) if is_parameter else filled)


def _persistent_buffers(module: nn.Module) -> Iterator[tuple[str, Tensor]]:
    saved = module.state_dict(keep_vars=True).keys()  # a buffer that is not saved is not looked for
    return ((name, buffer) for name, buffer in module.named_buffers() if name in saved)


def _refuse_quantised(stored: Mapping[str, StoredTensor], what: str) -> None:
    eights = [name for name, tensor in stored.items() if tensor.dtype.startswith("F8_")]
    others = [name for name, tensor in stored.items() if tensor.dtype not in _FLOATS and name not in eights]
    if others:
        raise CheckpointError(
            f"Expected the {what}'s weights as floating point, but {others[0]} is {stored[others[0]].dtype}: "
            f"use a checkpoint that is not quantised."
        )
    if eights:
        told = f"{len(eights)} of the {what}'s weights are stored in 8 bits without a scale ({_some(eights)})"
        warnings.warn(f"{told} and are cast.", stacklevel=3)


def _some(names: Sequence[str]) -> str:
    return ", ".join(names[:_SHOWN]) + (", …" if len(names) > _SHOWN else "")
