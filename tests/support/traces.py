"""Graphs traced once a session: tracing is most of what building a tiny bundle costs."""

from __future__ import annotations

from copy import copy
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import onnx_ir as ir
    from torch import nn
    from vidrt_engines.components import Signature


class Traces:
    """Stands in for `vidrt_export.tracing.trace.trace`: the same graph for the same module, traced the first time."""

    def __init__(self) -> None:
        self._models: dict[Any, ir.Model] = {}

    def __call__(self, make: Callable[[], nn.Module], signature: Signature, sizes: Mapping[str, int]) -> ir.Model:
        """Return a graph of its own for each call, since building writes into it."""
        from vidrt_export.tracing.trace import trace

        key = (make.func, make.args, signature, tuple(sorted(sizes.items())))  # type: ignore[attr-defined]
        if key not in self._models:
            self._models[key] = trace(make, signature, sizes)
        return _copied(self._models[key])


def _copied(model: ir.Model) -> ir.Model:
    """Return a copy that shares nothing that can be written to: `clone` alone shares the values' types."""
    model = model.clone()
    outputs = (value for node in model.graph.all_nodes() for value in node.outputs)
    for value in (*outputs, *model.graph.inputs, *model.graph.initializers.values()):
        value.type = copy(value.type)
    return model
