"""An execution context of TensorRT for one profile and one set of shapes, replayed as a CUDA graph where that helps."""

from collections.abc import Mapping
from typing import Any

from vidrt.cuda.arrays import Shape
from vidrt.cuda.device import CudaDevice
from vidrt.errors import EngineError

Addresses = dict[str, int]


class ShapedContext:
    """A context whose profile and shapes never change, since a captured graph holds for those alone.

    Args:
        context: one that was made for memory which its user manages.
        profile: the number of the profile.
        shapes: of the inputs, which the profile allows.
        device: where it runs.
        captures: capture a graph after the first run; the flavour for RTX does that itself.
    """

    def __init__(
        self, context: Any, profile: int, shapes: Mapping[str, Shape], device: CudaDevice, *, captures: bool
    ) -> None:
        self._context, self._device, self._captures = context, device, captures
        self._graph: int | None = None
        self._bound: tuple[Addresses, int] | None = None
        self._is_warm = False
        _expect(context.set_optimization_profile_async(profile, device.stream), f"profile {profile}")
        for name, shape in shapes.items():
            _expect(context.set_input_shape(name, shape), f"the shape {shape} of '{name}'")
        self.workspace_size = int(context.update_device_memory_size_for_shapes())

    def shape(self, name: str) -> Shape:
        """The shape of an output."""
        return tuple(int(size) for size in self._context.get_tensor_shape(name))

    def run(self, addresses: Addresses) -> None:
        """Queues one run on tensors at these addresses: the first plainly, later ones as a graph."""
        workspace = self._device.workspace.at_least(self.workspace_size)
        if self._bound != (addresses, workspace):
            self._bind(addresses, workspace)
        if self._graph is None and self._captures and self._is_warm:
            self._graph = self._capture()
        if self._graph is None:
            self._enqueue()
        else:
            self._device.cuda.launch(self._graph, self._device.stream)
        self._is_warm = True

    def close(self) -> None:
        """Releases the context; its work must be done."""
        self._drop_graph()
        self._context = None

    def _bind(self, addresses: Addresses, workspace: int) -> None:
        self._drop_graph()
        self._context.set_device_memory(workspace, self._device.workspace.size)
        for name, address in addresses.items():
            _expect(self._context.set_tensor_address(name, address), f"the address of '{name}'")
        self._bound, self._is_warm = (dict(addresses), workspace), False

    def _enqueue(self) -> None:
        _expect(self._context.execute_async_v3(self._device.stream), "the run")

    def _capture(self) -> int | None:
        """The run as a graph, or None for good if something in the engine cannot be recorded."""
        cuda, stream = self._device.cuda, self._device.stream
        cuda.begin_capture(stream)
        try:
            self._enqueue()
        except EngineError:
            self._captures = False
        try:
            graph = cuda.end_capture(stream)  # also after a failure, or the stream would record for ever
        except EngineError:
            self._captures = False
            return None
        if self._captures:
            return graph
        cuda.destroy_graph(graph)
        return None

    def _drop_graph(self) -> None:
        if self._graph is not None:
            self._device.synchronise()
            self._device.cuda.destroy_graph(self._graph)
            self._graph = None


def _expect(is_done: bool, what: str) -> None:
    if not is_done:
        raise EngineError(f"TensorRT refused {what}")
