"""Memory that was freed goes back to the system."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from vidrt.heap import release_free_memory

MEGABYTE = 1 << 20


def resident():
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


@pytest.mark.skipif(sys.platform != "linux", reason="glibc's heap is Linux's")
def test_holes_in_the_heap_are_given_back():
    """Blocks that were freed between others no longer count as the process's, and those others keep their values."""
    blocks = [np.full(64 << 10, number % 251, np.uint8) for number in range(2000)]
    del blocks[::2]
    before = resident()
    release_free_memory()
    assert before - resident() > 40 * MEGABYTE
    assert all((block == (2 * number + 1) % 251).all() for number, block in enumerate(blocks))


LARGE_BLOCKS = """
import os
from pathlib import Path
import numpy as np
from vidrt.heap import map_large_blocks

def resident():
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")

map_large_blocks()
for _ in range(3):
    assert np.ones(20 << 20, np.uint8).all()
blocks = [np.ones(20 << 20, np.uint8) for _ in range(6)]
before = resident()
del blocks[:5]
print(before - resident())
assert blocks[0].all()
"""


@pytest.mark.skipif(sys.platform != "linux", reason="glibc's heap is Linux's")
def test_large_blocks_are_given_back_at_once():
    """A block of megabytes that is freed between others leaves no hole, though as large ones were freed before.

    In a process of its own: where holes of that size are there from before, glibc fills them first.
    """
    done = subprocess.run([sys.executable, "-c", LARGE_BLOCKS], check=True, capture_output=True, text=True, timeout=60)
    assert int(done.stdout) > 90 * MEGABYTE
