"""Names of another code base, turned into ours by tables that are data."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vidrt_reference.checkpoint.errors import CheckpointError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from vidrt_reference.checkpoint.stored import StoredTensor

_SHOWN = 3


def below(prefix: str, stored: Mapping[str, StoredTensor]) -> dict[str, StoredTensor]:
    """The tensors whose names begin with a prefix, without it."""
    return {name.removeprefix(prefix): tensor for name, tensor in stored.items() if name.startswith(prefix)}


def placed(old: str, new: str, table: Mapping[str, str]) -> dict[str, str]:
    """A part's table, where the part is called `old` there and `new` here."""
    return {f"{old}.{theirs}": f"{new}.{ours}" for theirs, ours in table.items()}


def renamed(stored: Mapping[str, StoredTensor], table: Mapping[str, str], *, what: str) -> dict[str, StoredTensor]:
    """Give tensors their names here: of each, the longest part that the table knows is replaced, the rest stays.

    Args:
        stored: by their names there.
        table: from names of modules or tensors there to those here, dots between the parts.
        what: the component's name, for errors.

    Raises:
        CheckpointError: the table knows nothing of a name, or gives two tensors the same one.
    """
    found: dict[str, StoredTensor] = {}
    unknown = []
    for name, tensor in stored.items():
        new = _renamed(name, table)
        if new is None:
            unknown.append(name)
        elif new in found:
            raise CheckpointError(f"Expected the {what}'s tensors once each, but {name} and another are both {new}.")
        else:
            found[new] = tensor
    if unknown:
        raise CheckpointError(
            f"Expected a {what} in its original layout, but there are {len(unknown)} tensors left over "
            f"({some(unknown)}): use a file of a supported version."
        )
    return found


def count_below(prefix: str, stored: Mapping[str, StoredTensor]) -> int:
    """How many numbers, or other words, follow a prefix."""
    return len({name.removeprefix(prefix).partition(".")[0] for name in stored if name.startswith(prefix)})


def shape_of(stored: Mapping[str, StoredTensor], name: str, axes: int, *, what: str) -> tuple[int, ...]:
    """The shape of a tensor that tells how wide a model is.

    Raises:
        CheckpointError: it is not there, or has another number of axes.
    """
    if name not in stored:
        raise CheckpointError(f"Expected a {what} in its original layout, but it has no {name}: use another file.")
    if len(stored[name].shape) != axes:
        raise CheckpointError(
            f"Expected {name} of the {what} to have {axes} axes, but its shape is {list(stored[name].shape)}: "
            f"the file is damaged or of another architecture."
        )
    return stored[name].shape


def some(names: Iterable[str]) -> str:
    """The first few of some names."""
    listed = list(names)
    return ", ".join(listed[:_SHOWN]) + (", …" if len(listed) > _SHOWN else "")


def _renamed(name: str, table: Mapping[str, str]) -> str | None:
    parts = name.split(".")
    for count in range(len(parts), 0, -1):
        known = ".".join(parts[:count])
        if known in table:
            return ".".join([table[known], *parts[count:]])
    return None
