"""Graphs traced once a test run: tracing is most of what building a tiny bundle costs."""

from __future__ import annotations

import hashlib
from copy import copy
from functools import partial
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    import onnx_ir as ir
    import pytest
    from torch import nn
    from vidrt_engines.components import Signature
    from vidrt_engines.names import Backend, Precision
    from vidrt_export.checks.counts import Counts
    from vidrt_export.part import Part, StagePart

# Where builds look for what they trace with.
_PLACES = ("vidrt_export.backends.onnxruntime.trace", "vidrt_export.backends.tensorrt.trace")
_NOWHERE = "nowhere"


class Traces:
    """Stands in for `vidrt_export.tracing.trace.trace`: the same arguments give the same graph, traced once.

    Processes of one run share them through a folder.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._models: dict[Any, ir.Model] = {}

    def __call__(
        self,
        make: Callable[[], nn.Module],
        signature: Signature,
        sizes: Mapping[str, int],
        *,
        backend: Backend | None = None,
        prepare: partial[nn.Module] | None = None,
    ) -> ir.Model:
        """Return a graph of its own for each call, since building writes into it."""
        from vidrt_export.tracing.trace import trace

        options = {} if backend is None else {"backend": backend}
        changes = None if prepare is None else (prepare.func, prepare.args, tuple(sorted(prepare.keywords.items())))
        key = (_unfolded(make), signature, tuple(sorted(sizes.items())), backend, changes)
        if key not in self._models:
            self._models[key] = self._shared(
                _told(key), lambda: trace(make, signature, sizes, prepare=prepare, **options)
            )
        return _copied(self._models[key])

    def _shared(self, name: str, make: Callable[[], ir.Model]) -> ir.Model:
        import onnx_ir as ir
        from filelock import FileLock

        path = self._folder / f"{name}.onnx"
        with FileLock(path.with_suffix(".lock")):
            if path.exists():
                model = ir.load(path)
                _without_weights(model)
                return model
            model = make()
            stored = _copied(model)
            _with_weights_nowhere(stored)
            ir.save(stored, path)
            return model


def patch_tracing(patch: pytest.MonkeyPatch, stand_in: Callable[..., ir.Model]) -> None:
    """Let builds for any backend trace by a stand-in, and count what a part takes once a process."""
    for place in _PLACES:
        patch.setattr(place, stand_in)
    patch.setattr("vidrt_export.build.counts_of", _counts_of)


_counts: dict[Any, Counts] = {}


def _counts_of(part: Part | StagePart, precision: Precision) -> Counts:
    from vidrt_export.checks.counts import counts_of

    key = (_unfolded(part.make), part.signature, tuple(sorted(part.sizes.items())), precision)
    if key not in _counts:
        _counts[key] = counts_of(part, precision)
    return _counts[key]


def _unfolded(value: Any) -> Any:
    """A partial function as its function and arguments, which compare by what they are."""
    return (value.func, *map(_unfolded, value.args)) if isinstance(value, partial) else value


def _told(key: tuple[Any, ...]) -> str:
    """A name for a file, the same in all processes: functions have their names instead of their addresses."""
    told = [f"{one.__module__}.{one.__qualname__}" if callable(one) else repr(one) for one in _flat(key)]
    return hashlib.sha256("\n".join(told).encode()).hexdigest()[:32]


def _flat(value: Any) -> list[Any]:
    return [one for item in value for one in _flat(item)] if isinstance(value, tuple) else [value]


def _with_weights_nowhere(model: ir.Model) -> None:
    """Gives weights, which have no values, a place that is none: without one they would be written as inputs."""
    import onnx_ir as ir

    for name, value in model.graph.initializers.items():
        if value.const_value is None:
            shape = value.shape if value.shape is not None else ir.Shape([])
            dtype = value.dtype or ir.DataType.FLOAT
            value.const_value = ir.ExternalTensor(_NOWHERE, 0, 0, dtype, shape=shape, name=name)


def _without_weights(model: ir.Model) -> None:
    import onnx_ir as ir

    for value in model.graph.initializers.values():
        if isinstance(value.const_value, ir.ExternalTensor):
            value.const_value = None


def _copied(model: ir.Model) -> ir.Model:
    """Return a copy that shares nothing that can be written to: `clone` alone shares the values' types."""
    model = model.clone()
    outputs = (value for node in model.graph.all_nodes() for value in node.outputs)
    for value in (*outputs, *model.graph.inputs, *model.graph.initializers.values()):
        value.type = copy(value.type)
    return model
