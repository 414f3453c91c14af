"""Arrays of fp32 that live on the device, with the arithmetic of a denoising step."""

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from vidrt.arrays import AnyArray, FloatArray
from vidrt.cuda.memory import Block

if TYPE_CHECKING:
    from vidrt.cuda.device import CudaDevice

Shape = tuple[int, ...]


class DeviceArray:
    """Contiguous fp32 values on the device; they never change, each operation gives new ones.

    Sums, differences and products with a number are queued on the device's stream and rounded as numpy rounds them.
    `np.asarray` brings the values to the host.
    """

    # numpy leaves operators to this class: np.float32(2) * array calls __rmul__
    __array_ufunc__ = None
    dtype = np.dtype(np.float32)

    def __init__(self, device: "CudaDevice", block: Block, shape: Shape, offset: int = 0) -> None:
        self.device, self.shape = device, shape
        self._block, self._offset = block, offset

    @property
    def pointer(self) -> int:
        """Where the values begin."""
        return self._block.pointer + self._offset

    @property
    def size(self) -> int:
        """How many values there are."""
        return math.prod(self.shape)

    @property
    def nbytes(self) -> int:
        """How many bytes they take."""
        return self.size * self.dtype.itemsize

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, rows: slice) -> "DeviceArray":
        """Neighbouring rows along the first axis, as a view."""
        start, stop, step = rows.indices(len(self))
        assert step == 1, "a view is contiguous"
        row = self.nbytes // len(self)
        return DeviceArray(
            self.device, self._block, (max(stop - start, 0), *self.shape[1:]), self._offset + start * row
        )

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> AnyArray:
        if copy is False:
            raise ValueError("values on the device cannot be had without a copy")
        values: FloatArray = np.empty(self.shape, np.float32)
        self.device.download(values, self.pointer)
        return values if dtype is None else values.astype(dtype, copy=False)

    def __add__(self, other: "DeviceArray") -> "DeviceArray":
        return self._combined(1.0, 1.0, other)

    def __sub__(self, other: "DeviceArray") -> "DeviceArray":
        return self._combined(1.0, -1.0, other)

    def __mul__(self, number: float | np.float32) -> "DeviceArray":
        # a double would be rounded to fp32, which numpy would not do
        if not isinstance(number, (np.float32, float, int)) or isinstance(number, np.float64):
            return NotImplemented
        return self._combined(float(number), 0.0, None)

    __rmul__ = __mul__

    def _combined(self, a: float, b: float, other: "DeviceArray | None") -> "DeviceArray":
        if other is not None and not isinstance(other, DeviceArray):
            return NotImplemented
        if other is not None and other.shape != self.shape:
            raise ValueError(f"arrays of the shapes {self.shape} and {other.shape} do not go together")
        out = self.device.empty(self.shape)
        pointer = None if other is None else other.pointer
        self.device.cuda.combine(out.pointer, a, self.pointer, b, pointer, self.size, self.device.stream)
        return out


Array = TypeVar("Array", FloatArray, DeviceArray)
"""Values on the host or on the device: formulas that take either give the same kind back."""

MixedArray = AnyArray | DeviceArray


def concatenated(arrays: Sequence[MixedArray]) -> MixedArray:
    """Joins arrays along their first axis, on the device if they are there."""
    first = arrays[0]
    if len(arrays) == 1:
        return first
    if not isinstance(first, DeviceArray):
        return np.concatenate([np.asarray(array) for array in arrays])
    device, out = first.device, first.device.empty((sum(map(len, arrays)), *first.shape[1:]))
    place = out.pointer
    for array in arrays:
        assert isinstance(array, DeviceArray)
        device.cuda.copy(place, array.pointer, array.nbytes, device.stream)
        place += array.nbytes
    return out
