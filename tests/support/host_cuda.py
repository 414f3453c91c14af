"""A CUDA device made of host memory: real addresses, a stream that is only worked off when it is waited for."""

from __future__ import annotations

import ctypes
from collections import Counter
from typing import TYPE_CHECKING, Any

import numpy as np
from vidrt.cuda.base import ALIGNMENT
from vidrt.errors import EngineError, OutOfMemoryError

if TYPE_CHECKING:
    from collections.abc import Callable

    from vidrt.arrays import ByteArray

GUARD = 64  # bytes around each allocation that nobody may write
FILL = 0xAB
FREED = 0xFF  # four of them are a NaN, so that who reads freed memory computes with no number


class HostCuda:
    """See `vidrt.cuda.base.Cuda`.

    Work is queued and done at `synchronise`, as a device may do it: who does not wait reads what was there before.
    Memory that is freed, or written beyond its end, is found; `calls` counts every method, `done` is what streams did.
    """

    def __init__(self, index: int = 0, *, total: int = 1 << 30) -> None:
        self.index, self.total = index, total
        self.calls: Counter[str] = Counter()
        self.done: list[str] = []
        self._blocks: dict[int, tuple[int, ByteArray]] = {}
        self._pinned: dict[int, ByteArray] = {}
        self._streams: dict[int, list[tuple[str, Callable[[], None]]]] = {}
        self._captures: dict[int, list[tuple[str, Callable[[], None]]]] = {}
        self._graphs: dict[int, list[tuple[str, Callable[[], None]]]] = {}
        self._handles = 0x1000

    def make_current(self) -> None:
        self.calls["make_current"] += 1

    def allocate(self, size: int) -> int:
        self.calls["allocate"] += 1
        if self.used + size > self.total:
            raise OutOfMemoryError(f"CUDA has no {size} bytes left.")
        memory = np.full(size + 2 * GUARD + ALIGNMENT, FILL, np.uint8)
        pointer = -(-(memory.ctypes.data + GUARD) // ALIGNMENT) * ALIGNMENT
        self._blocks[pointer] = (size, memory)
        return pointer

    def free(self, pointer: int) -> None:
        self.calls["free"] += 1
        assert not any(self._streams.values()), "memory is freed while work is queued that may use it"
        size, memory = self._blocks.pop(pointer)
        start = pointer - memory.ctypes.data
        assert (memory[:start] == FILL).all(), "something was written before a block"
        assert (memory[start + size :] == FILL).all(), "something was written behind a block"
        memory[:] = FREED

    def allocate_host(self, size: int) -> ByteArray:
        self.calls["allocate_host"] += 1
        memory = np.full(size, FILL, np.uint8)
        self._pinned[memory.ctypes.data] = memory
        return memory

    def free_host(self, memory: ByteArray) -> None:
        del self._pinned[memory.ctypes.data]

    def create_stream(self) -> int:
        stream = self._handle()
        self._streams[stream] = []
        return stream

    def destroy_stream(self, stream: int) -> None:
        assert not self._streams.pop(stream), "a stream is closed while work is queued"

    def synchronise(self, stream: int) -> None:
        self.calls["synchronise"] += 1
        self._expect(stream not in self._captures, "a stream that records cannot be waited for")
        queue = self._streams[stream]
        while queue:
            name, work = queue.pop(0)
            self.done.append(name)
            work()

    def upload(self, pointer: int, values: ByteArray, stream: int) -> None:
        self._expect(self._is_pinned(values), "upload from memory that is not page-locked")
        self.queue("upload", stream, lambda: self._write(pointer, values))

    def download(self, values: ByteArray, pointer: int, stream: int) -> None:
        self._expect(self._is_pinned(values), "download to memory that is not page-locked")
        self.queue("download", stream, lambda: np.copyto(values, self.bytes_at(pointer, values.nbytes)))

    def copy(self, target: int, source: int, size: int, stream: int) -> None:
        self.queue("copy", stream, lambda: self._write(target, self.bytes_at(source, size)))

    def combine(self, out: int, a: float, x: int, b: float, y: int | None, count: int, stream: int) -> None:
        def work() -> None:
            values = np.float32(a) * self.floats_at(x, count)
            if y is not None:
                values = values + np.float32(b) * self.floats_at(y, count)
            self.floats_at(out, count)[:] = values

        self.queue("combine", stream, work)

    def begin_capture(self, stream: int) -> None:
        self.calls["begin_capture"] += 1
        self._captures[stream] = []

    def end_capture(self, stream: int) -> int:
        graph = self._handle()
        self._graphs[graph] = self._captures.pop(stream)
        return graph

    def launch(self, graph: int, stream: int) -> None:
        recorded = list(self._graphs[graph])
        self.queue("launch", stream, lambda: [work() for _, work in recorded])

    def destroy_graph(self, graph: int) -> None:
        queued = [name for queue in self._streams.values() for name, _ in queue]
        assert "launch" not in queued, "a graph is released while work is queued that may use it"
        del self._graphs[graph]

    def memory(self) -> tuple[int, int]:
        return self.total - self.used, self.total

    # What follows is the double's own.

    @property
    def used(self) -> int:
        """The bytes that are allocated."""
        return sum(size for size, _ in self._blocks.values())

    @property
    def leaks(self) -> dict[str, int]:
        """What was not released, by kind."""
        kinds = {"blocks": self._blocks, "pinned": self._pinned, "streams": self._streams, "graphs": self._graphs}
        return {name: len(things) for name, things in kinds.items() if things}

    def queue(self, name: str, stream: int, work: Callable[[], Any]) -> None:
        """Puts work on a stream, or into the graph that it records."""
        self.calls[name] += 1
        (self._captures if stream in self._captures else self._streams)[stream].append((name, work))

    def bytes_at(self, pointer: int, size: int) -> ByteArray:
        """Memory at an address, which must lie in one block."""
        for start, (length, _) in self._blocks.items():
            if start <= pointer and pointer + size <= start + length:
                return np.ctypeslib.as_array((ctypes.c_uint8 * size).from_address(pointer))
        raise EngineError(f"CUDA failed: cudaErrorIllegalAddress; {size} bytes at {pointer:#x} are in no block.")

    def floats_at(self, pointer: int, count: int) -> Any:
        """The fp32 values at an address."""
        return self.bytes_at(pointer, 4 * count).view(np.float32)

    def _write(self, pointer: int, values: ByteArray) -> None:
        self.bytes_at(pointer, values.nbytes)[:] = values

    def _is_pinned(self, values: ByteArray) -> bool:
        start = values.ctypes.data
        return any(begin <= start and start + values.nbytes <= begin + m.nbytes for begin, m in self._pinned.items())

    def _handle(self) -> int:
        self._handles += 16
        return self._handles

    @staticmethod
    def _expect(is_so: bool, what: str) -> None:
        if not is_so:
            raise EngineError(f"CUDA failed: cudaErrorInvalidValue; {what}.")
