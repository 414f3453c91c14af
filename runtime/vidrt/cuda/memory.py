"""Device memory that is used again: a pool of blocks, and the workspace that all engines of a pipeline share."""

from collections import defaultdict
from collections.abc import Callable

from vidrt.cuda.base import Cuda, aligned
from vidrt.errors import EngineError, OutOfMemoryError


class Block:
    """A piece of device memory that goes back to its pool when nothing refers to it any more."""

    def __init__(self, pool: "MemoryPool", pointer: int, size: int) -> None:
        self._pool, self._pointer, self.size = pool, pointer, size

    @property
    def pointer(self) -> int:
        """Where the block lies.

        Raises:
            EngineError: the pool is closed, so that the memory is gone.
        """
        if self._pool.is_closed:
            raise EngineError("These values were on the GPU and went with their pipeline; read them before it closes.")
        return self._pointer

    def __del__(self) -> None:
        self._pool.give_back(self._pointer, self.size)


class MemoryPool:
    """Blocks by size; one that comes back is handed out again, so that a loop allocates in its first round only.

    That is safe without waiting because all work of a pipeline is queued on one stream: whoever gets a block next
    writes to it after whoever read it last.

    Args:
        cuda: the device.
        wait: waits until all queued work is done.
    """

    def __init__(self, cuda: Cuda, wait: Callable[[], None]) -> None:
        self._cuda, self._wait = cuda, wait
        self._idle: defaultdict[int, list[int]] = defaultdict(list)
        self._in_use: set[int] = set()
        self.is_closed = False

    def take(self, size: int) -> Block:
        """A block of at least `size` bytes.

        Raises:
            OutOfMemoryError: the device has no such piece left, idle blocks given up included.
        """
        size = aligned(size)
        idle = self._idle[size]
        pointer = idle.pop() if idle else self.allocate(size)
        self._in_use.add(pointer)
        return Block(self, pointer, size)

    def allocate(self, size: int) -> int:
        """Device memory that is not the pool's; where there is too little, idle blocks are released for it.

        Raises:
            OutOfMemoryError: that was not enough.
        """
        try:
            return self._cuda.allocate(size)
        except OutOfMemoryError:
            self.trim()
            return self._cuda.allocate(size)

    def give_back(self, pointer: int, size: int) -> None:
        """Takes a block that nobody uses."""
        if not self.is_closed:
            self._in_use.discard(pointer)
            self._idle[size].append(pointer)

    def trim(self) -> None:
        """Releases the idle blocks, for whoever needs the memory next."""
        if any(self._idle.values()):
            self._wait()
        for pointers in self._idle.values():
            while pointers:
                self._cuda.free(pointers.pop())

    def close(self) -> None:
        """Releases every block, in use or not; may be called twice."""
        self.trim()
        self.is_closed = True
        while self._in_use:
            self._cuda.free(self._in_use.pop())


class Workspace:
    """Memory for the values inside of engines: one piece for all of them, since no two run at once.

    Args:
        cuda: the device.
        pool: gives up idle blocks where memory is short.
        wait: waits until all queued work is done.
    """

    def __init__(self, cuda: Cuda, pool: MemoryPool, wait: Callable[[], None]) -> None:
        self._cuda, self._pool, self._wait = cuda, pool, wait
        self._pointer, self.size = 0, 0

    def at_least(self, size: int) -> int:
        """The address of `size` bytes or more; a larger piece than before takes the place of the old one."""
        size = aligned(size)
        if size > self.size:
            self.close()  # first, so that the two are never there at once
            self._pointer, self.size = self._pool.allocate(size), size
        return self._pointer

    def close(self) -> None:
        """Releases the memory; may be called twice."""
        if self.size:
            self._wait()
            self._cuda.free(self._pointer)
            self._pointer, self.size = 0, 0
