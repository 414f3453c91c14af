"""Libraries: there, absent, damaged, and hidden by one another."""

import sys
from types import SimpleNamespace

import pytest
from vidrt import libraries
from vidrt.libraries import cuda_bindings, has_h264, onnxruntime_wheels, player, pyav
from vidrt_engines.names import Backend


@pytest.fixture
def blocked(monkeypatch):
    """Makes an import fail: as of a library that is not installed, or with an error of its own."""

    def block(module, error=None):
        monkeypatch.setitem(sys.modules, module, None)
        if error:

            def fail(name):
                assert name == module
                raise error

            monkeypatch.setattr(libraries, "import_module", fail)

    return block


def test_a_library_that_is_there():
    """The runtime's own libraries are found with their versions and no problem."""
    found = player(Backend.ONNXRUNTIME)
    assert (found.name, found.problem) == ("onnxruntime", None)
    assert found.version == found.module.__version__


@pytest.mark.parametrize(
    ("module", "find", "told"),
    [
        ("onnxruntime", lambda: player(Backend.ONNXRUNTIME),
         "onnxruntime is not installed; run: pip install 'vidrt[cpu]'"),
        ("openvino", lambda: player(Backend.OPENVINO), "OpenVINO is not installed; run: pip install 'vidrt[openvino]'"),
        ("tensorrt", lambda: player(Backend.TENSORRT), "TensorRT is not installed; run: pip install 'vidrt[tensorrt]'"),
        ("tensorrt_rtx", lambda: player(Backend.TENSORRT_RTX),
         "TensorRT for RTX is not installed; run: pip install 'vidrt[rtx]'"),
        ("cuda.bindings.runtime", lambda: cuda_bindings(Backend.TENSORRT_RTX),
         "cuda-bindings is not installed; run: pip install 'vidrt[rtx]'"),
        ("cuda", lambda: cuda_bindings(Backend.TENSORRT),
         "cuda-bindings is not installed; run: pip install 'vidrt[tensorrt]'"),
        ("av", pyav, "PyAV is not installed; run: pip install 'av'"),
    ],
    ids=["onnxruntime", "openvino", "tensorrt", "tensorrt-rtx", "cuda-bindings", "cuda", "av"],
)  # fmt: skip
def test_a_library_that_is_absent(blocked, monkeypatch, module, find, told):
    """Each absent library names the line that installs it."""
    for name in [name for name in sys.modules if name.startswith(f"{module}.")]:
        monkeypatch.delitem(sys.modules, name)
    blocked(module)
    found = find()
    assert (found.module, found.version, found.problem) == (None, None, told)


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (OSError("libcudart.so.13: cannot open\nsecond line"), "libcudart.so.13: cannot open"),
        (ImportError("DLL load failed."), "DLL load failed"),
        (ModuleNotFoundError("No module named 'numpy'", name="numpy"), "No module named 'numpy'"),
        (RuntimeError(), "RuntimeError"),
    ],
    ids=["OSError", "ImportError", "its own need", "RuntimeError"],
)  # fmt: skip
def test_a_library_that_does_not_load(blocked, error, reason):
    """A library that is there and fails is told with the first line of its error and what to do."""
    blocked("tensorrt_rtx", error)
    found = player(Backend.TENSORRT_RTX)
    told = f"({reason}); run: pip install 'vidrt[rtx]' --force-reinstall"
    assert found.module is None
    assert found.problem == f"TensorRT for RTX is installed and does not load {told}"


def test_wheels_that_hide_each_other(monkeypatch):
    """Every wheel that brings onnxruntime is found by its own name."""
    there = {"onnxruntime": "1.32.0", "onnxruntime-gpu": "1.31.0"}
    monkeypatch.setattr(libraries, "_wheel_version", there.get)
    assert onnxruntime_wheels() == ("onnxruntime 1.32.0", "onnxruntime-gpu 1.31.0")


def test_the_wheel_of_this_environment():
    """The environment that runs this has one wheel of onnxruntime, in the version of its module."""
    (wheel,) = onnxruntime_wheels()
    assert wheel.split()[1] == player(Backend.ONNXRUNTIME).version


def test_h264():
    """The installed PyAV has x264; one that was built without it says so."""
    assert has_h264(pyav().module)
    assert not has_h264(SimpleNamespace(codecs_available={"mpeg4"}))
