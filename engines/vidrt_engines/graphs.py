"""The names of an engine's graphs: one in fp32, and beside it one that computes in the weights' own half precision."""

_GRAPH, _HALF = ".onnx", ".half.onnx"


def half_name(graph: str) -> str:
    """The graph in half precision that lies beside a graph in fp32, if there is one."""
    return graph.removesuffix(_GRAPH) + _HALF


def is_half(graph: str) -> bool:
    """Whether a graph computes in half precision."""
    return graph.endswith(_HALF)
