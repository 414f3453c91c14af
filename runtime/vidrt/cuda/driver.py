"""CUDA itself, through NVIDIA's bindings."""

import ctypes
from importlib.resources import files
from typing import Any

import numpy as np

from vidrt.arrays import ByteArray
from vidrt.errors import EngineError, MissingExtraError, OutOfMemoryError

_BLOCK = 256  # threads
_BLOCKS = 1 << 14  # the kernel strides over what is left
_KERNEL_TYPES = (
    ctypes.c_void_p, ctypes.c_float, ctypes.c_void_p, ctypes.c_float, ctypes.c_void_p, ctypes.c_uint64
)  # fmt: skip


class DriverCuda:
    """A CUDA device behind `cuda.bindings`; see `Cuda` for what the methods promise."""

    def __init__(self, index: int = 0) -> None:
        self._runtime, self._driver = _bindings()
        self._index = index
        self._kernel: Any = None
        self.make_current()
        self._check(self._runtime.cudaFree(0))  # older runtimes start the device with the first real call only

    def make_current(self) -> None:
        """See `Cuda.make_current`."""
        self._check(self._runtime.cudaSetDevice(self._index))

    def allocate(self, size: int) -> int:
        """See `Cuda.allocate`."""
        status, pointer = self._runtime.cudaMalloc(size)
        if status == self._runtime.cudaError_t.cudaErrorMemoryAllocation:
            self._runtime.cudaGetLastError()
            raise OutOfMemoryError(self._no_memory(size))
        self._check((status,))
        return int(pointer)

    def free(self, pointer: int) -> None:
        """See `Cuda.free`."""
        self._check(self._runtime.cudaFree(pointer))

    def allocate_host(self, size: int) -> ByteArray:
        """See `Cuda.allocate_host`."""
        (pointer,) = self._check(self._runtime.cudaMallocHost(size))
        return np.ctypeslib.as_array((ctypes.c_uint8 * size).from_address(int(pointer)))

    def free_host(self, memory: ByteArray) -> None:
        """See `Cuda.free_host`."""
        self._check(self._runtime.cudaFreeHost(memory.ctypes.data))

    def create_stream(self) -> int:
        """See `Cuda.create_stream`."""
        (stream,) = self._check(self._runtime.cudaStreamCreateWithFlags(self._runtime.cudaStreamNonBlocking))
        return int(stream)

    def destroy_stream(self, stream: int) -> None:
        """See `Cuda.destroy_stream`."""
        self._check(self._runtime.cudaStreamDestroy(stream))

    def synchronise(self, stream: int) -> None:
        """See `Cuda.synchronise`."""
        self._check(self._runtime.cudaStreamSynchronize(stream))

    def upload(self, pointer: int, values: ByteArray, stream: int) -> None:
        """See `Cuda.upload`."""
        self._copy(pointer, values.ctypes.data, values.nbytes, "cudaMemcpyHostToDevice", stream)

    def download(self, values: ByteArray, pointer: int, stream: int) -> None:
        """See `Cuda.download`."""
        self._copy(values.ctypes.data, pointer, values.nbytes, "cudaMemcpyDeviceToHost", stream)

    def copy(self, target: int, source: int, size: int, stream: int) -> None:
        """See `Cuda.copy`."""
        self._copy(target, source, size, "cudaMemcpyDeviceToDevice", stream)

    def combine(self, out: int, a: float, x: int, b: float, y: int | None, count: int, stream: int) -> None:
        """See `Cuda.combine`."""
        if not count:
            return
        blocks = min(-(-count // _BLOCK), _BLOCKS)
        arguments = (out, a, x, b, y or 0, count), _KERNEL_TYPES
        kernel = self._driver.CUfunction(self._combine())
        self._check(self._driver.cuLaunchKernel(kernel, blocks, 1, 1, _BLOCK, 1, 1, 0, stream, arguments, 0))

    def begin_capture(self, stream: int) -> None:
        """See `Cuda.begin_capture`."""
        # thread-local: what other threads do with CUDA meanwhile is their business
        mode = self._runtime.cudaStreamCaptureMode.cudaStreamCaptureModeThreadLocal
        self._check(self._runtime.cudaStreamBeginCapture(stream, mode))

    def end_capture(self, stream: int) -> int:
        """See `Cuda.end_capture`."""
        (recorded,) = self._check(self._runtime.cudaStreamEndCapture(stream))
        try:
            (graph,) = self._check(self._runtime.cudaGraphInstantiate(recorded, 0))
        finally:
            self._runtime.cudaGraphDestroy(recorded)
        return int(graph)

    def launch(self, graph: int, stream: int) -> None:
        """See `Cuda.launch`."""
        self._check(self._runtime.cudaGraphLaunch(graph, stream))

    def destroy_graph(self, graph: int) -> None:
        """See `Cuda.destroy_graph`."""
        self._check(self._runtime.cudaGraphExecDestroy(graph))

    def memory(self) -> tuple[int, int]:
        """See `Cuda.memory`."""
        free, total = self._check(self._runtime.cudaMemGetInfo())
        return int(free), int(total)

    def _copy(self, target: int, source: int, size: int, kind: str, stream: int) -> None:
        if size:
            direction = getattr(self._runtime.cudaMemcpyKind, kind)
            self._check(self._runtime.cudaMemcpyAsync(target, source, size, direction, stream))

    def _combine(self) -> Any:
        """The kernel, which the driver compiles from its text at first use."""
        if self._kernel is None:
            text = files("vidrt.cuda").joinpath("combine.ptx").read_bytes() + b"\0"
            (library,) = self._check(self._driver.cuLibraryLoadData(text, [], [], 0, [], [], 0))
            (self._kernel,) = self._check(self._driver.cuLibraryGetKernel(library, b"combine"))
        return self._kernel

    def _check(self, results: tuple[Any, ...]) -> tuple[Any, ...]:
        """What a call gave behind its status, or the status as an error by CUDA's own name."""
        status, *values = results
        if status.value:
            self._runtime.cudaGetLastError()  # or the next to ask, a library perhaps, takes it for its own
            raise EngineError(f"CUDA failed: {status.name}; if it comes again, restart the process.")
        return tuple(values)

    def _no_memory(self, size: int) -> str:
        free, total = self.memory()
        return (
            f"CUDA has no {size / 2**30:.2f} GiB left (cudaErrorMemoryAllocation; {free / 2**30:.2f} of "
            f"{total / 2**30:.2f} GiB are free): take a smaller video, give --memory-limit, or close what else uses "
            f"the GPU."
        )


def has_bindings() -> bool:
    """Whether NVIDIA's bindings are installed."""
    try:
        _bindings()
    except MissingExtraError:
        return False
    return True


def _bindings() -> tuple[Any, Any]:
    try:
        from cuda.bindings import driver, runtime
    except ImportError as error:
        raise MissingExtraError("cuda-bindings is not installed; run: pip install 'vidrt[tensorrt]'.") from error
    return runtime, driver
