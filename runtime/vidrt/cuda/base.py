"""What the runtime needs of CUDA, so that tests can put a double in its place."""

from typing import Protocol

from vidrt.arrays import ByteArray

# cudaMalloc aligns to this, and TensorRT wants its working memory so.
ALIGNMENT = 256


def aligned(size: int) -> int:
    """A size rounded up to the alignment, at least one unit of it."""
    return max(1, -(-size // ALIGNMENT)) * ALIGNMENT


class Cuda(Protocol):
    """One CUDA device.

    Pointers, streams and graphs are the integers that CUDA and TensorRT know them by. What takes a stream is only
    queued on it, in order; every method may raise EngineError with CUDA's own name for what went wrong.
    """

    def make_current(self) -> None:
        """Makes this device the calling thread's; what follows in the thread goes to it."""

    def allocate(self, size: int) -> int:
        """Reserves `size` bytes of device memory, aligned to ALIGNMENT.

        Raises:
            OutOfMemoryError: there is not that much left.
        """

    def free(self, pointer: int) -> None:
        """Releases what `allocate` gave; work that still uses it must be done."""

    def allocate_host(self, size: int) -> ByteArray:
        """Reserves `size` bytes of page-locked host memory, which copies reach without a detour."""

    def free_host(self, memory: ByteArray) -> None:
        """Releases what `allocate_host` gave."""

    def create_stream(self) -> int:
        """Opens a queue of work that does not wait for the default stream."""

    def destroy_stream(self, stream: int) -> None:
        """Closes a stream."""

    def synchronise(self, stream: int) -> None:
        """Waits until all that was queued is done; errors of queued work come out here."""

    def upload(self, pointer: int, values: ByteArray, stream: int) -> None:
        """Copies page-locked host memory to the device; `values` must stay as they are until it is done."""

    def download(self, values: ByteArray, pointer: int, stream: int) -> None:
        """Copies device memory to page-locked host memory, which holds it once the stream was waited for."""

    def copy(self, target: int, source: int, size: int, stream: int) -> None:
        """Copies `size` bytes within the device; the two do not overlap."""

    def combine(self, out: int, a: float, x: int, b: float, y: int | None, count: int, stream: int) -> None:
        """Queues out = a·x + b·y on `count` fp32 values each, or out = a·x where `y` is None.

        Every product and sum is rounded to fp32 on its own, so that the result is numpy's to the bit; `out` may be
        `x` or `y`.
        """

    def begin_capture(self, stream: int) -> None:
        """From here on work on the stream is recorded and not done."""

    def end_capture(self, stream: int) -> int:
        """Ends recording and returns what was recorded as a graph that can be launched."""

    def launch(self, graph: int, stream: int) -> None:
        """Queues the work of a graph, with the pointers and sizes it was recorded with."""

    def destroy_graph(self, graph: int) -> None:
        """Releases a graph that is not running."""

    def memory(self) -> tuple[int, int]:
        """The device's free and total memory in bytes."""
