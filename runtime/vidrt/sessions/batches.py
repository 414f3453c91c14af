"""Batches that are larger than an engine was built for, run in parts."""

from collections.abc import Mapping, Sequence
from typing import Any

from vidrt_engines.manifest import Engine
from vidrt_engines.tensors import check_arrays

from vidrt.cuda.arrays import MixedArray, concatenated
from vidrt.sessions.fitting import BATCH, axis_sizes, batch_limit

Arrays = Mapping[str, MixedArray]


def split(engine: Engine, arrays: Arrays) -> Sequence[Arrays]:
    """Arrays in parts that an engine takes: sliced where their first axis is the batch, else the same in each part."""
    described = {name: (str(array.dtype), array.shape) for name, array in arrays.items()}
    if not engine.profiles or check_arrays(engine.inputs, described):
        return [arrays]  # one run, whose session says what is wrong
    sizes = axis_sizes(engine.inputs, {name: array.shape for name, array in arrays.items()})
    batch, limit = sizes.get(BATCH, 1), batch_limit(engine.profiles, sizes)
    if limit is None or batch <= limit:
        return [arrays]
    batched = {spec.name for spec in engine.inputs if spec.axes[:1] == (BATCH,)}
    return [
        {name: array[start : start + limit] if name in batched else array for name, array in arrays.items()}
        for start in range(0, batch, limit)
    ]


def joined(parts: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """The outputs of parts as those of one run."""
    return {name: concatenated([part[name] for part in parts]) for name in parts[0]}
