"""An engine's files: too short, of another kind, changed."""

import hashlib

import pytest
from vidrt.engine_files import check_files, check_hashes
from vidrt_engines.errors import BundleError
from vidrt_engines.manifest import BundleFile, Engine
from vidrt_engines.names import Backend, Precision

PLAN = b"vtrt" + bytes(range(250)) * 12_000
CURE = "run: build-engines"


@pytest.fixture
def make_engine(tmp_path):
    """An engine with one file of the given bytes, described truly."""

    def make(content=PLAN, backend=Backend.TENSORRT_RTX, path="transformer/plan"):
        (tmp_path / "transformer").mkdir(exist_ok=True)
        (tmp_path / path).write_bytes(content)
        file = BundleFile(path=path, bytes=len(content), sha256=hashlib.sha256(content).hexdigest())
        return Engine(backend=backend, precision=Precision.BF16, files=(file,), inputs=(), outputs=(), key={})

    return make


def differing(found):
    return found.field, found.engine, found.here


def test_files_as_they_were_built(make_engine, tmp_path, notes):
    """A whole file has nothing wrong with it, and reading it is shown to its end."""
    engine = make_engine()
    assert check_files(engine, tmp_path, CURE) is None
    assert check_hashes(engine, tmp_path, CURE, notes) is None
    assert (notes.lines, notes.steps) == (["reading transformer/plan: 4 megabyte"], 4)


def test_a_file_that_lost_its_end(make_engine, tmp_path):
    """A truncated file is found by its size, without being read."""
    engine = make_engine()
    (tmp_path / "transformer/plan").write_bytes(PLAN[:-1])
    found = check_files(engine, tmp_path, CURE)
    assert differing(found) == ("file transformer/plan", "3,000,004 bytes", "3,000,003 bytes")
    assert found.cure == CURE


def test_a_file_that_is_missing(make_engine, tmp_path):
    """A file that is not there has no size."""
    engine = make_engine()
    (tmp_path / "transformer/plan").unlink()
    assert differing(check_files(engine, tmp_path, CURE))[2] == "missing"


@pytest.mark.parametrize(
    ("content", "backend", "here"),
    [
        (b"ftrt....", Backend.TENSORRT_RTX, "a plan for tensorrt"),
        (b"vtrt....", Backend.TENSORRT, "a plan for tensorrt-rtx"),
        (b"\x08\x07onnx", Backend.TENSORRT, "no plan"),
        (b"vtr", Backend.TENSORRT_RTX, "no plan"),
        (b"", Backend.TENSORRT, "no plan"),
    ],
)
def test_a_file_of_another_kind(make_engine, tmp_path, content, backend, here):
    """A file that does not begin as a plan of its backend does is found by its first bytes."""
    found = check_files(make_engine(content, backend), tmp_path, CURE)
    assert differing(found) == ("file transformer/plan", f"a plan for {backend}", here)


def test_graphs_begin_as_they_like(make_engine, tmp_path):
    """Only plans have a beginning that is known."""
    assert check_files(make_engine(b"", Backend.ONNXRUNTIME), tmp_path, CURE) is None
    assert check_files(make_engine(b"ftrt", Backend.TENSORRT), tmp_path, CURE) is None


def test_a_file_that_changed_in_its_middle(make_engine, tmp_path, notes):
    """One bit that is another one is found by the hash alone."""
    engine = make_engine()
    (tmp_path / "transformer/plan").write_bytes(PLAN[:1_500_000] + b"\xff" + PLAN[1_500_001:])
    assert check_files(engine, tmp_path, CURE) is None
    found = check_hashes(engine, tmp_path, CURE, notes)
    assert found.field == "file transformer/plan"
    assert found.engine == f"of SHA-256 {engine.files[0].sha256[:16]}" != found.here


def test_a_path_out_of_the_bundle_is_an_error(make_engine, tmp_path):
    """No file outside of the bundle is looked at."""
    assert check_files(make_engine(), tmp_path, CURE) is None
    outside = BundleFile(path="../plan", bytes=1, sha256="0")
    engine = Engine(backend=Backend.TENSORRT, precision=Precision.BF16, files=(outside,), inputs=(), outputs=(), key={})
    with pytest.raises(BundleError):
        check_files(engine, tmp_path, CURE)
