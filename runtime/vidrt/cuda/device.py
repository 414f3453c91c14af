"""One CUDA device as a pipeline uses it: one stream, one pool, one workspace, one way in and out."""

import math

import numpy as np

from vidrt.arrays import AnyArray, FloatArray
from vidrt.closing import Closing
from vidrt.cuda.arrays import DeviceArray, Shape
from vidrt.cuda.base import Cuda
from vidrt.cuda.memory import MemoryPool, Workspace
from vidrt.cuda.staging import Staging


class CudaDevice(Closing):
    """What the engines of a pipeline share; all work goes through one stream, so it happens in the order it is said."""

    def __init__(self, cuda: Cuda) -> None:
        self.cuda, self.stream = cuda, cuda.create_stream()
        self.pool = MemoryPool(cuda, self.synchronise)
        self.workspace = Workspace(cuda, self.pool, self.synchronise)
        self._staging = Staging(cuda, self.stream)
        self._is_open = True

    def synchronise(self) -> None:
        """Waits until all queued work is done."""
        self.cuda.synchronise(self.stream)

    def empty(self, shape: Shape) -> DeviceArray:
        """An array whose values are whatever the memory holds."""
        return DeviceArray(self, self.pool.take(math.prod(shape) * DeviceArray.dtype.itemsize), shape)

    def put(self, values: FloatArray) -> DeviceArray:
        """Uploads fp32 values."""
        self.cuda.make_current()
        array = self.empty(values.shape)
        self.upload(array.pointer, values.astype(np.float32, copy=False))
        return array

    def upload(self, pointer: int, values: AnyArray) -> None:
        """Queues a copy of values to device memory; they may change as soon as this returns."""
        self._staging.upload(pointer, values)

    def download(self, values: AnyArray, pointer: int) -> None:
        """Fills a contiguous array from device memory."""
        self.cuda.make_current()
        self._staging.download(values, pointer)

    def close(self) -> None:
        """Releases all memory; arrays that are still there can no longer be read."""
        if self._is_open:
            self._is_open = False
            self.synchronise()
            self.pool.close()
            self.workspace.close()
            self._staging.close()
            self.cuda.destroy_stream(self.stream)
