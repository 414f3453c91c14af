"""A graph as OpenVINO reads it, made ready to be compiled."""

from pathlib import Path
from typing import Any

from vidrt_engines.streaming import PASSED

# What OpenVINO calls the widening of weights that it is not to carry out when it opens a graph. Carried out then, they
# lie in memory in fp32, are packed from there when they are first used, and stay: on one layer of the 2B transformer in
# bf16 697 MB of the process's own instead of 277, on T5 2.3 GB instead of 0.8, results the same to the last bit.
_LEFT_TO_USE = "decompression_0"
_STORED_IN = ("bf16", "f16")


def read_graph(openvino: Any, path: Path) -> Any:
    """Reads a graph; its weights stay in their file."""
    graph = _in_order(openvino, openvino.Core().read_model(path))
    _keep_as_stored(graph)
    return graph


def address_of_weights(graph: Any) -> int:
    """Where the largest of its weights lies in memory: in their mapped file, for as long as the graph is kept."""
    constants = [node for node in graph.get_ops() if node.get_type_name() == "Constant"]
    largest = max(constants, key=lambda constant: constant.get_byte_size())
    return int(largest.data.ctypes.data)


def _in_order(openvino: Any, graph: Any) -> Any:
    """The graph with what it passes on behind what its layers keep: it is computed by the order of its results.

    Otherwise what layers keep of large values would wait for the end, and the values with it.
    """
    named = [(result.input_value(0).get_names(), result) for result in graph.get_results()]
    late = [result for names, result in named if PASSED in names]
    if not late:
        return graph
    return openvino.Model([*(result for names, result in named if PASSED not in names), *late], graph.get_parameters())


def _keep_as_stored(graph: Any) -> None:
    """Leaves weights in their file, in the type that they are stored in, until they are used."""
    for node in graph.get_ops():
        widens = node.get_type_name() == "Convert" and node.get_input_element_type(0).get_type_name() in _STORED_IN
        if widens and node.input_value(0).get_node().get_type_name() == "Constant":
            node.get_rt_info()[_LEFT_TO_USE] = True
