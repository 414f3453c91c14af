"""For which CUDA the installed TensorRT was built."""

import pytest
from vidrt_engines import tensorrt_wheels
from vidrt_engines.names import Backend
from vidrt_engines.tensorrt_wheels import library_cuda

RTX, BOTH = ("tensorrt_rtx", "tensorrt_rtx_cu13", "tensorrt_rtx_cu13_libs"), ("tensorrt-cu12-libs", "tensorrt_cu12")


@pytest.mark.parametrize(
    ("wheels", "backend", "cuda"),
    [
        (RTX, Backend.TENSORRT_RTX, "13"),
        (RTX, Backend.TENSORRT, None),
        (BOTH, Backend.TENSORRT, "12"),
        ((*RTX, *BOTH), Backend.TENSORRT, "12"),
        ((*RTX, *BOTH), Backend.TENSORRT_RTX, "13"),
        ((), Backend.TENSORRT_RTX, None),
        (RTX, Backend.ONNXRUNTIME, None),
    ],
)
def test_the_wheel_of_the_libraries_tells(monkeypatch, wheels, backend, cuda):
    """The wheel's name carries the major version, each flavour its own; a library of the system tells nothing."""
    monkeypatch.setattr(tensorrt_wheels, "_installed", lambda: wheels)
    assert library_cuda(backend) == cuda


def test_the_wheels_of_this_machine():
    """The names are those that pip lists, so the development environment's TensorRT for RTX is found."""
    pytest.importorskip("tensorrt_rtx")
    assert library_cuda(Backend.TENSORRT_RTX) == "13"
