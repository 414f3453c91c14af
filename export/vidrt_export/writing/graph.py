"""A traced graph joined to its weights file."""

from collections.abc import Mapping
from pathlib import Path

import onnx_ir as ir

from vidrt_export.writing.weights import Placed

_IR_TYPES = {
    "F32": ir.DataType.FLOAT,
    "F16": ir.DataType.FLOAT16,
    "BF16": ir.DataType.BFLOAT16,
    "F64": ir.DataType.DOUBLE,
}


def attach_weights(model: ir.Model, placed: Mapping[str, Placed], location: str, folder: Path) -> None:
    """Points each parameter of a graph at its place in a weights file.

    A parameter that is kept narrower than fp32 goes through a cast, so that all maths stay in fp32.

    Args:
        model: a traced graph.
        placed: by parameter name.
        location: the weights file's name, relative to the graph.
        folder: where both lie.
    """
    graph = model.graph
    for name, place in placed.items():
        value = graph.initializers[name]
        dtype = _IR_TYPES[place.dtype]
        value.const_value = ir.ExternalTensor(
            location, place.offset, place.nbytes, dtype, shape=ir.Shape(place.shape), name=name, base_dir=folder
        )
        value.shape = ir.Shape(place.shape)
        if dtype is not ir.DataType.FLOAT:
            _cast(graph, value, dtype)


def _cast(graph: ir.Graph, value: ir.Value, dtype: ir.DataType) -> None:
    node = ir.node("Cast", [value], attributes={"to": ir.DataType.FLOAT}, name=f"{value.name}.fp32")
    node.outputs[0].name = f"{value.name}.fp32"
    node.outputs[0].dtype = ir.DataType.FLOAT
    ir.convenience.replace_all_uses_with(value, node.outputs[0])
    node.replace_input_with(0, value)
    value.dtype = dtype
    graph.insert_before(graph[0], node)
