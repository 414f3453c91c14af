"""Sessions on OpenVINO, which plays onnxruntime's graphs on the CPU, in bf16 where the CPU has instructions for it."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from vidrt_engines.graphs import is_half
from vidrt_engines.manifest import Engine
from vidrt_engines.names import Backend, Precision

from vidrt.closing import Closing
from vidrt.cpu import computes_bf16
from vidrt.cuda.arrays import MixedArray
from vidrt.errors import MissingExtraError
from vidrt.libraries import player
from vidrt.sessions.base import check_inputs, check_outputs
from vidrt.sessions.failures import failure
from vidrt.sessions.mapped_weights import let_go, mapped_around
from vidrt.sessions.openvino_graph import address_of_weights, read_graph
from vidrt.sessions.openvino_sizes import KnownSizes, Sizes

_DEVICE = "CPU"
# OpenVINO would take bf16 for every graph, wherever the CPU has it: only weights that are kept so are computed so. A
# graph in half precision says itself what is computed in which type: measured on two blocks of the 2B transformer with
# random weights 4.2e-3 from fp32 where OpenVINO's own choice is 4.7e-2 from it, as fast, in half of the memory.
_COMPUTES_IN = {Precision.BF16: "bf16"}
_ELSE = "f32"


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
        self._engine, self._what = engine, what
        self._openvino = _library()
        self._computes_in = _ELSE if is_half(path.name) else _COMPUTES_IN.get(engine.precision, _ELSE)
        with self._opening():
            self._graph = read_graph(self._openvino, path)
            self._weights = mapped_around(address_of_weights(self._graph))
        said = self._computes_in if computes_bf16() else _ELSE
        self.provider: str = f"OpenVINO {_DEVICE} {engine.precision if is_half(path.name) else said}"
        self._request: Any = None
        self._sizes = KnownSizes(engine.inputs)

    def run(self, arrays: Mapping[str, MixedArray]) -> dict[str, Any]:
        """Runs the graph once.

        Raises:
            RequestError: the arrays do not fit the manifest.
            OutOfMemoryError: there is not enough memory for it.
            EngineError: the graph failed, or gave values that are no numbers.
        """
        check_inputs(self._engine, arrays, self._what)
        sizes = self._sizes.wanted(arrays)
        results = self._infer(arrays) if sizes is None else self._first_infer(arrays, sizes)
        # its own memory, which the next run writes over
        outputs = {spec.name: np.array(results[spec.name]) for spec in self._engine.outputs}
        if self._sizes.is_stage:  # each would keep what it needed at most, while one runs at a time
            self._request.get_compiled_model().release_memory()
        check_outputs(outputs, self._what)
        return outputs

    def close(self) -> None:
        """Releases the graph and its memory."""
        self._release()
        self._graph = None

    def _release(self) -> None:
        """Forgets what is compiled, before it is compiled again: weights would be packed twice."""
        self._request = None
        self._sizes.released()

    def _first_infer(self, arrays: Mapping[str, MixedArray], sizes: Sizes) -> Any:
        """Compiles the graph and runs it: in one or the other weights are packed, and by later runs left alone."""
        self._release()
        with let_go(self._weights):
            self._request = self._compiled(sizes).create_infer_request()
            self._sizes.compiled(sizes)
            return self._infer(arrays)

    def _infer(self, arrays: Mapping[str, MixedArray]) -> Any:
        try:
            return self._request.infer({name: np.ascontiguousarray(array) for name, array in arrays.items()})
        except Exception as error:  # its errors are RuntimeError and kin, without a base of their own
            raise failure(f"The {self._what} failed: {_reason(error)}.", error) from error

    def _compiled(self, sizes: Sizes) -> Any:
        settings = {"PERFORMANCE_HINT": "LATENCY", "INFERENCE_PRECISION_HINT": self._computes_in}
        with self._opening():
            graph = self._graph.clone()
            if sizes:
                graph.reshape({name: list(axes) for name, axes in sizes.items()})
            return self._openvino.Core().compile_model(graph, _DEVICE, settings)

    @contextmanager
    def _opening(self) -> Iterator[None]:
        try:
            yield
        except Exception as error:  # as above
            raise failure(f"OpenVINO cannot open the {self._what}: {_reason(error)}.", error) from error


def _library() -> Any:
    library = player(Backend.OPENVINO)
    if library.module is None:
        raise MissingExtraError(f"{library.problem}.")
    return library.module


def _reason(error: Exception) -> str:
    """The last line: those before it name the source files that the error passed through."""
    return str(error).strip().splitlines()[-1].strip().rstrip(".") if str(error).strip() else type(error).__name__
