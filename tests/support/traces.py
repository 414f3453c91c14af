"""Graphs traced once a session: tracing is most of what building a tiny bundle costs."""

from __future__ import annotations

from copy import copy
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from functools import partial

    import onnx_ir as ir
    import pytest
    from torch import nn
    from vidrt_engines.components import Signature
    from vidrt_engines.names import Backend

# Where builds look for what they trace with.
_PLACES = ("vidrt_export.backends.onnxruntime.trace", "vidrt_export.backends.tensorrt.trace")


class Traces:
    """Stands in for `vidrt_export.tracing.trace.trace`: the same arguments give the same graph, traced once."""

    def __init__(self) -> None:
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
        made = (make.func, make.args, signature)  # type: ignore[attr-defined]
        key = (*made, tuple(sorted(sizes.items())), backend, changes)
        if key not in self._models:
            self._models[key] = trace(make, signature, sizes, prepare=prepare, **options)
        return _copied(self._models[key])


def patch_tracing(patch: pytest.MonkeyPatch, stand_in: Callable[..., ir.Model]) -> None:
    """Let builds for any backend trace by a stand-in."""
    for place in _PLACES:
        patch.setattr(place, stand_in)


def _copied(model: ir.Model) -> ir.Model:
    """Return a copy that shares nothing that can be written to: `clone` alone shares the values' types."""
    model = model.clone()
    outputs = (value for node in model.graph.all_nodes() for value in node.outputs)
    for value in (*outputs, *model.graph.inputs, *model.graph.initializers.values()):
        value.type = copy(value.type)
    return model
