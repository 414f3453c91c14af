"""Mapped files are let go of, and nothing of them is lost."""

import mmap
import os
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from vidrt.sessions.mapped_weights import let_go, mappings
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
    (tmp_path / "weights").mkdir()
    path = tmp_path / "weights" / "model.weights"
    path.write_bytes(np.arange(SIZE // 4, dtype=np.uint32).tobytes())
    return path


def mapped(path, access=mmap.ACCESS_READ):
    with path.open("r+b") as opened:
        return mmap.mmap(opened.fileno(), 0, access=access)


def test_pages_go_while_something_runs_and_come_again(file):
    """What was read is no longer resident, and reads as before."""
    with mapped(file) as pages:
        assert np.frombuffer(pages, np.uint32).sum() > 0
        assert resident(file) == SIZE
        with let_go(file.parent):
            end = time.monotonic() + 20
            while resident(file) and time.monotonic() < end:
                time.sleep(0.01)
            assert resident(file) == 0
            assert np.array_equal(np.frombuffer(pages, np.uint32), np.arange(SIZE // 4, dtype=np.uint32))
        assert resident(file) == 0


def test_other_files_and_what_may_be_written_stay(file, tmp_path):
    """A copy on write would be lost, and the files of other folders are not meant."""
    other = tmp_path / "weights 2"
    other.write_bytes(bytes(SIZE))
    with mapped(file, mmap.ACCESS_COPY) as written, mapped(other) as elsewhere:
        written[:4] = b"mine"
        assert elsewhere[SIZE - 1] == 0
        assert mappings(file.parent) == []
        assert len(mappings(tmp_path)) == 1
        with let_go(file.parent):
            pass
        assert written[:4] == b"mine"
        assert resident(other) > 0


def test_the_helper_ends_where_a_run_fails(file):
    """The error is the run's own, and the next run lets go again."""
    with mapped(file) as pages:
        with pytest.raises(KeyError), let_go(file.parent):
            raise KeyError
        assert np.frombuffer(pages, np.uint32).sum() > 0
        with let_go(file.parent):
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
