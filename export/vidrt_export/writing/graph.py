"""A traced graph joined to its weights file."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import onnx_ir as ir

from vidrt_export.writing.weights import Placed

IR_TYPES = {
    "F32": ir.DataType.FLOAT,
    "F16": ir.DataType.FLOAT16,
    "BF16": ir.DataType.BFLOAT16,
    "F64": ir.DataType.DOUBLE,
    "U8": ir.DataType.UINT8,
    "I8": ir.DataType.INT8,
}


_SUFFIXES = {ir.DataType.FLOAT: "fp32", ir.DataType.FLOAT16: "fp16", ir.DataType.BFLOAT16: "bf16"}


def attach_weights(model: ir.Model, placed: Mapping[str, Placed], location: str, folder: Path) -> None:
    """Points each parameter of a graph at its place in a weights file.

    A parameter that is kept narrower than the graph computes in goes through a cast.

    Args:
        model: a traced graph.
        placed: by parameter name.
        location: the weights file's name, relative to the graph.
        folder: where both lie.
    """
    graph = model.graph
    for name, place in placed.items():
        value = graph.initializers[name]
        dtype = IR_TYPES[place.dtype]
        computed = value.dtype or ir.DataType.FLOAT
        value.const_value = ir.ExternalTensor(
            location, place.offset, place.nbytes, dtype, shape=ir.Shape(place.shape), name=name, base_dir=folder
        )
        value.shape = ir.Shape(place.shape)
        if dtype is not computed:
            _cast(graph, value, dtype, computed)


def compute_early(model: ir.Model, names: Sequence[str]) -> None:
    """Lets onnxruntime compute outputs as soon as it can, in the order of their names but for the first, which is last.

    It walks from the last node of a graph back to what that needs. What a layer keeps of a large value would so wait
    for the end, and the value with it: for all layers of a stage, three times the memory.

    Args:
        model: a graph whose outputs but the first are computed by nodes that nothing else reads.
        names: of its outputs.
    """
    makers = {value.name: value.producer() for value in model.graph.outputs}
    for name in reversed(names[1:]):
        node = makers[name]
        assert node is not None
        model.graph.remove(node)
        model.graph.append(node)


def _cast(graph: ir.Graph, value: ir.Value, dtype: ir.DataType, computed: ir.DataType) -> None:
    """Takes a parameter to the type it is computed in where it is used; of a table only the rows looked up."""
    value.dtype = dtype
    uses = [(use.node, use.idx) for use in value.uses()]
    whole = [(node, index) for node, index in uses if node.op_type != "Gather" or index != 0]
    if whole:
        graph.insert_before(graph[0], _converted(value, computed, f"{value.name}.{_SUFFIXES[computed]}", whole))
    for node, index in uses:
        if (node, index) not in whole:
            rows = node.outputs[0]
            readers = [(use.node, use.idx) for use in rows.uses()]
            graph.insert_after(node, _converted(rows, computed, f"{value.name}.rows", readers))
            rows.dtype = dtype


def _converted(value: ir.Value, dtype: ir.DataType, name: str, readers: Sequence[tuple[ir.Node, int]]) -> ir.Node:
    """A cast of a value, which the readers (node and number of its input) get instead."""
    node = ir.node("Cast", [value], attributes={"to": dtype}, name=name)
    node.outputs[0].name, node.outputs[0].dtype = name, dtype
    for reader, index in readers:
        reader.replace_input_with(index, node.outputs[0])
    return node
