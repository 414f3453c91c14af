"""Mapped files are let go of, and nothing of them is lost."""

import os
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from vidrt.sessions.mapped_weights import let_go, mapped_around
from vidrt.sessions.openvino import OpenvinoSession
from vidrt_engines.manifest import bundle_path, read_bundle
from vidrt_engines.names import Component
from vidrt_engines.places import DEFAULT_BUNDLE, find_bundle

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="Linux alone tells what is mapped")
SIZE = 8 << 20


def resident(path):
    """Bytes of a file that are resident in this process."""
    found, inside = 0, False
    for line in Path("/proc/self/smaps").read_text().splitlines():
        key, *rest = line.split(maxsplit=5)
        if not key.endswith(":"):
            inside = bool(rest) and rest[-1] == os.path.realpath(path)
        elif inside and key == "Rss:":
            found += int(rest[0]) << 10
    return found


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "model.weights"
    path.write_bytes(np.arange(SIZE // 4, dtype=np.uint32).tobytes())
    return path


@pytest.fixture
def values(file):
    """Its numbers, mapped."""
    return np.memmap(file, np.uint32, "r")


def around(values):
    """The mapping of their last number."""
    return mapped_around(values.ctypes.data + values.nbytes - 4)


def test_pages_go_while_something_runs_and_come_again(file, values):
    """What was read is no longer resident, and reads as before."""
    assert values.sum() > 0
    assert resident(file) == SIZE
    with let_go(around(values)):
        end = time.monotonic() + 20
        while resident(file) and time.monotonic() < end:
            time.sleep(0.01)
        assert resident(file) == 0
        assert np.array_equal(values, np.arange(SIZE // 4, dtype=np.uint32))
    assert resident(file) == 0


def test_what_may_be_written_is_not_touched(file):
    """A copy on write and memory of the process's own would be lost."""
    written, own = np.memmap(file, np.uint32, "c"), np.ones(SIZE, np.uint8)
    written[0] = 7
    assert around(written) is None
    assert mapped_around(own.ctypes.data) is None
    with let_go(around(written)):
        pass
    assert written[0] == 7


def test_the_helper_ends_where_a_run_fails(file, values):
    """The error is the run's own, and the next run lets go again."""
    with pytest.raises(KeyError), let_go(around(values)):
        raise KeyError
    assert values.sum() > 0
    with let_go(around(values)):
        pass
    assert resident(file) == 0


def test_openvino_keeps_no_weights_twice():
    """After a run it has them packed, and hardly any of the file's pages."""
    folder = find_bundle(DEFAULT_BUNDLE)
    engine = read_bundle(folder).engines[Component.TEXT_ENCODER][0]
    graph, weights = (bundle_path(folder, file.path) for file in engine.files[:2])
    with OpenvinoSession(graph, engine, "text encoder") as session:
        session.run({"input_ids": np.array([[3, 4, 1]])})
        assert resident(weights) < weights.stat().st_size / 4
        assert session.run({"input_ids": np.array([[3, 4, 1]])})["embeddings"].std() > 0
