"""The execution context of the TensorRT double."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from trt_double import Double, PlanText

_DTYPES = {"tensor(float)": np.float32, "tensor(int64)": np.int64}
_ERROR = 1


class IExecutionContext:
    def __init__(self, plan: PlanText, logger: Any, double: Double) -> None:
        self._plan, self._logger, self._double = plan, logger, double
        self._session = _open(plan.graph)
        self._inputs = {tensor.name: np.dtype(_DTYPES[tensor.type]) for tensor in self._session.get_inputs()}
        self._outputs = [tensor.name for tensor in self._session.get_outputs()]
        self._profile: int | None = None
        self._shapes: dict[str, tuple[int, ...]] = {}
        self._addresses: dict[str, int] = {}
        self._memory = (0, 0)
        self._is_warm = False

    def set_optimization_profile_async(self, profile_index: int, stream_handle: int) -> bool:
        self._profile = profile_index
        self._double.cuda.queue("profile", stream_handle, lambda: None)
        return profile_index < max(1, len(self._plan.profiles))

    def set_input_shape(self, name: str, shape: tuple[int, ...]) -> bool:
        assert self._profile is not None, "shapes come after the profile"
        if self._plan.profiles:
            low, _, high = self._plan.profiles[self._profile][name]
            if not all(least <= size <= most for least, size, most in zip(low, shape, high, strict=True)):
                return False
        self._shapes[name], self._is_warm = shape, False
        return True

    def update_device_memory_size_for_shapes(self) -> int:
        assert self._shapes.keys() == self._inputs.keys(), "memory is asked for before all shapes are set"
        return self._plan.workspace * sum(int(np.prod(shape)) for shape in self._shapes.values())

    def get_tensor_shape(self, name: str) -> tuple[int, ...]:
        zeros = {name: np.zeros(shape, self._inputs[name]) for name, shape in self._shapes.items()}
        return tuple(self._session.run([name], zeros)[0].shape)

    def set_device_memory(self, memory: int, size: int) -> None:
        assert memory % 256 == 0
        assert size >= self.update_device_memory_size_for_shapes()
        self._memory = memory, size

    def set_tensor_address(self, name: str, memory: int) -> bool:
        self._addresses[name] = memory
        return name in {*self._inputs, *self._outputs}

    def execute_async_v3(self, stream_handle: int) -> bool:
        self._double.events.append("execute")
        is_recorded = stream_handle in self._double.cuda._captures
        if self._double.fails or (is_recorded and not (self._is_warm and self._plan.recordable)):
            self._logger.log(_ERROR, self._double.fails or "this cannot be recorded")
            return False
        assert self._addresses.keys() == {*self._inputs, *self._outputs}, "a tensor has no address"
        shapes, addresses, memory = dict(self._shapes), dict(self._addresses), self._memory
        self._double.cuda.queue("run", stream_handle, lambda: self._run(shapes, addresses, memory))
        self._is_warm = True
        return True

    def _run(self, shapes: dict[str, Any], addresses: dict[str, int], memory: tuple[int, int]) -> None:
        cuda = self._double.cuda
        cuda.bytes_at(*memory)[:] = len(self._double.events) % 251  # nobody else may keep something there
        feeds = {name: self._read(name, addresses[name], shape) for name, shape in shapes.items()}
        for name, values in zip(self._outputs, self._session.run(self._outputs, feeds), strict=True):
            flat = np.ascontiguousarray(values).reshape(-1).view(np.uint8)
            cuda.bytes_at(addresses[name], flat.nbytes)[:] = flat

    def _read(self, name: str, address: int, shape: tuple[int, ...]) -> Any:
        dtype = self._inputs[name]
        size = int(np.prod(shape)) * dtype.itemsize
        return self._double.cuda.bytes_at(address, size).view(dtype).reshape(shape).copy()


def _open(graph: str) -> Any:
    """Open a graph just as the session for onnxruntime does, so that results agree to the bit."""
    from vidrt.devices import Device
    from vidrt.sessions.onnxruntime import STAY_MAPPED
    from vidrt.sessions.onnxruntime import _open as open_graph

    return open_graph(Path(graph), Device(kind="cpu"), STAY_MAPPED, "graph", keeps_memory=True)
