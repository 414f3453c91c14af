"""The double of CUDA finds what a GPU would not forgive."""

import ctypes

import numpy as np
import pytest
from host_cuda import HostCuda
from vidrt.errors import EngineError


@pytest.fixture
def cuda():
    return HostCuda()


@pytest.fixture
def stream(cuda):
    return cuda.create_stream()


def test_work_is_done_when_it_is_waited_for_and_in_order(cuda, stream):
    """Until then memory is as it was, and a download shows nothing."""
    pointer, host = cuda.allocate(8), cuda.allocate_host(8)
    host[:] = 1
    cuda.upload(pointer, host, stream)
    cuda.combine(pointer, 2.0, pointer, 0.0, None, 2, stream)
    assert cuda.done == []
    assert not np.array_equal(cuda.bytes_at(pointer, 8), host)
    cuda.synchronise(stream)
    assert cuda.done == ["upload", "combine"]


def test_freed_memory_is_not_used(cuda, stream):
    """Work on memory that is gone fails where it is waited for."""
    pointer, other = cuda.allocate(8), cuda.allocate(8)
    cuda.free(pointer)
    cuda.copy(other, pointer, 8, stream)
    with pytest.raises(EngineError, match="cudaErrorIllegalAddress"):
        cuda.synchronise(stream)


@pytest.mark.parametrize(("offset", "size"), [(-4, 4), (0, 20), (13, 4)])
def test_memory_beyond_a_block_is_not_used(cuda, stream, offset, size):
    """One byte too many is too many."""
    pointer, other = cuda.allocate(16), cuda.allocate(64)
    cuda.copy(other, pointer + offset, size, stream)
    with pytest.raises(EngineError, match="cudaErrorIllegalAddress"):
        cuda.synchronise(stream)


@pytest.mark.parametrize("offset", [-1, 16])
def test_writes_past_its_nose_are_found(cuda, offset):
    """What somebody writes around a block by its address is seen when the block is freed."""
    pointer = cuda.allocate(16)
    ctypes.memset(pointer + offset, 0, 1)
    with pytest.raises(AssertionError, match="something was written"):
        cuda.free(pointer)


def test_memory_in_use_is_not_freed(cuda, stream):
    """Whoever frees memory waits for the work on it."""
    pointer = cuda.allocate(8)
    cuda.combine(pointer, 1.0, pointer, 0.0, None, 2, stream)
    with pytest.raises(AssertionError, match="while work is queued"):
        cuda.free(pointer)


def test_only_page_locked_memory_is_copied(cuda, stream):
    """A copy from memory that may be paged out would be no queued one."""
    pointer = cuda.allocate(8)
    with pytest.raises(EngineError, match="not page-locked"):
        cuda.upload(pointer, np.zeros(8, np.uint8), stream)
    with pytest.raises(EngineError, match="not page-locked"):
        cuda.download(np.zeros(8, np.uint8), pointer, stream)


def test_nobody_waits_while_recording(cuda, stream):
    """Waiting for a stream that records is an error, as it is on a GPU."""
    cuda.begin_capture(stream)
    with pytest.raises(EngineError, match="cannot be waited for"):
        cuda.synchronise(stream)


def test_what_is_left_is_told(cuda, stream):
    """Memory, streams and graphs that nobody released."""
    cuda.allocate(8)
    cuda.begin_capture(stream)
    cuda.end_capture(stream)
    assert cuda.leaks == {"blocks": 1, "streams": 1, "graphs": 1}
