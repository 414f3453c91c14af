"""Sessions on OpenVINO, which plays onnxruntime's graphs on the CPU, in bf16 where the CPU has instructions for it."""

from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

import numpy as np
from vidrt_engines.graphs import is_half
from vidrt_engines.manifest import Engine
from vidrt_engines.names import Backend, Precision
from vidrt_engines.streaming import LAST, PASSED

from vidrt.closing import Closing
from vidrt.cuda.arrays import MixedArray
from vidrt.errors import MissingExtraError
from vidrt.libraries import player
from vidrt.sessions.base import check_inputs, check_outputs
from vidrt.sessions.failures import failure
from vidrt.sessions.mapped_weights import let_go

_DEVICE = "CPU"
# OpenVINO would take bf16 for every graph, wherever the CPU has it: only weights that are kept so are computed so. A
# graph in half precision says itself what is computed in which type: measured on two blocks of the 2B transformer with
# random weights 4.2e-3 from fp32 where OpenVINO's own choice is 4.7e-2 from it, as fast, in half of the memory.
_COMPUTES_IN = {Precision.BF16: "bf16"}
_ELSE = "f32"
# What OpenVINO calls the widening of weights that it is not to carry out when it opens a graph. Carried out then, they
# lie in memory in fp32, are packed from there when they are first used, and stay: on one layer of the 2B transformer in
# bf16 697 MB of the process's own instead of 277, on T5 2.3 GB instead of 0.8, results the same to the last bit.
_LEFT_TO_USE = "decompression_0"
_STORED_IN = ("bf16", "f16")


class OpenvinoSession(Closing):
    """A graph opened by OpenVINO.

    Args:
        path: the graph, its weights beside it.
        engine: as the manifest describes it.
        what: the component, for sentences.

    Raises:
        MissingExtraError: OpenVINO is not installed.
        EngineError: it cannot open the graph.
    """

    def __init__(self, path: Path, engine: Engine, what: str) -> None:
        self._engine, self._what, self._folder = engine, what, path.parent
        model = _compiled(path, engine.precision, what)
        precision = model.get_property("INFERENCE_PRECISION_HINT").get_type_name()
        self.provider: str = f"OpenVINO {_DEVICE} {engine.precision if is_half(path.name) else precision}"
        self._request: Any = model.create_infer_request()
        # stages would each keep what they needed at most, while one runs at a time
        self._keeps_memory = all(spec.name != LAST for spec in engine.inputs)
        self._packed_for: set[tuple[tuple[int, ...], ...]] = set()  # shapes

    def run(self, arrays: Mapping[str, MixedArray]) -> dict[str, Any]:
        """Runs the graph once.

        Raises:
            RequestError: the arrays do not fit the manifest.
            OutOfMemoryError: there is not enough memory for it.
            EngineError: the graph failed, or gave values that are no numbers.
        """
        check_inputs(self._engine, arrays, self._what)
        try:
            with self._packing(arrays):
                results = self._request.infer({name: np.ascontiguousarray(array) for name, array in arrays.items()})
        except Exception as error:  # its errors are RuntimeError and kin, without a base of their own
            raise failure(f"The {self._what} failed: {_reason(error)}.", error) from error
        # its own memory, which the next run writes over
        outputs = {spec.name: np.array(results[spec.name]) for spec in self._engine.outputs}
        if not self._keeps_memory:
            self._request.get_compiled_model().release_memory()
        check_outputs(outputs, self._what)
        return outputs

    def close(self) -> None:
        """Releases the graph and its memory."""
        self._request = None

    def _packing(self, arrays: Mapping[str, MixedArray]) -> AbstractContextManager[None]:
        """Lets go of mapped weights during the first run at each size, in which they are packed."""
        shapes = tuple(array.shape for array in arrays.values())
        if shapes in self._packed_for:
            return nullcontext()
        self._packed_for.add(shapes)
        return let_go(self._folder)


def _compiled(path: Path, precision: Precision, what: str) -> Any:
    library = player(Backend.OPENVINO)
    if library.module is None:
        raise MissingExtraError(f"{library.problem}.")
    computes_in = _ELSE if is_half(path.name) else _COMPUTES_IN.get(precision, _ELSE)
    settings = {"PERFORMANCE_HINT": "LATENCY", "INFERENCE_PRECISION_HINT": computes_in}
    try:
        core = library.module.Core()
        graph = _in_order(library.module, core.read_model(path))
        _keep_as_stored(graph)
        return core.compile_model(graph, _DEVICE, settings)
    except Exception as error:  # as above
        raise failure(f"OpenVINO cannot open the {what}: {_reason(error)}.", error) from error


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


def _reason(error: Exception) -> str:
    """The last line: those before it name the source files that the error passed through."""
    return str(error).strip().splitlines()[-1].strip().rstrip(".") if str(error).strip() else type(error).__name__
