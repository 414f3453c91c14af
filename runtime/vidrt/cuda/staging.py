"""The way between numpy's memory and the device's, through page-locked memory."""

from collections.abc import Iterator

import numpy as np

from vidrt.arrays import AnyArray, ByteArray
from vidrt.cuda.base import Cuda, aligned

SIZE = 32 << 20


class Staging:
    """A strip of page-locked memory: small arrays queue up in it without waiting, large ones pass piece by piece."""

    def __init__(self, cuda: Cuda, stream: int, size: int = SIZE) -> None:
        self._cuda, self._stream = cuda, stream
        self._host: ByteArray | None = cuda.allocate_host(size)
        self._size, self._used = size, 0

    def upload(self, pointer: int, values: AnyArray) -> None:
        """Queues a copy to the device; `values` may change as soon as this returns."""
        for offset, piece in self._pieces(_bytes_of(np.ascontiguousarray(values))):
            strip = self._strip(len(piece))
            strip[:] = piece
            self._cuda.upload(pointer + offset, strip, self._stream)

    def download(self, values: AnyArray, pointer: int) -> None:
        """Fills a contiguous array from the device, and waits for it."""
        self._wait()
        for offset, piece in self._pieces(_bytes_of(values)):
            strip = self._strip(len(piece))
            self._cuda.download(strip, pointer + offset, self._stream)
            self._wait()
            piece[:] = strip

    def close(self) -> None:
        """Releases the memory; queued copies must be done."""
        if self._host is not None:
            self._cuda.free_host(self._host)
            self._host = None

    def _pieces(self, values: ByteArray) -> Iterator[tuple[int, ByteArray]]:
        for offset in range(0, len(values), self._size):
            yield offset, values[offset : offset + self._size]

    def _strip(self, size: int) -> ByteArray:
        """The next `size` bytes; once round, what was queued is waited for."""
        assert self._host is not None
        if self._used + size > self._size:
            self._wait()
        strip = self._host[self._used : self._used + size]
        self._used = min(self._used + aligned(size), self._size)
        return strip

    def _wait(self) -> None:
        self._cuda.synchronise(self._stream)
        self._used = 0


def _bytes_of(values: AnyArray) -> ByteArray:
    return values.reshape(-1).view(np.uint8)
