"""How plans are read, through the real bindings: they ask our reader as they ask it when there is a GPU."""

import os
import platform
import subprocess
import sys

import pytest
from stub_library import stub_library

READ = """
import ctypes, io
import tensorrt_rtx as trt
from vidrt.sessions import tensorrt_library

tensorrt_library._PIECE = 64
file = io.BytesIO(bytes(256))
reader = tensorrt_library._reader(trt, file)
new = ctypes.pythonapi.PyCapsule_New
new.restype, new.argtypes = ctypes.py_object, [ctypes.c_void_p, ctypes.c_char_p, ctypes.c_void_p]
place = ctypes.create_string_buffer(256)
capsule = new(ctypes.addressof(place), None, None)

def seek(offset, where):
    return trt.IStreamReaderV2.seek(reader, offset, where), file.tell()

def read(size):
    return trt.IStreamReaderV2.read(reader, capsule, size, 0), file.tell()

position = trt.SeekPosition
print(seek(5, position.SET), read(10), read(100), seek(1, position.CUR), seek(-10, position.END), read(100))
"""


@pytest.mark.skipif(
    sys.platform != "linux" or platform.machine() != "x86_64", reason="the driver's stub is for Linux on x86-64"
)
def test_the_bindings_read_through_our_reader(tmp_path):
    """Seeking from all three origins, reads of one piece and of several, and one that the end of the file cuts."""
    pytest.importorskip("tensorrt_rtx")
    (tmp_path / "libcuda.so.1").write_bytes(stub_library("libcuda.so.1", ("cuPointerGetAttribute", "cuMemcpyHtoD_v2")))
    ended = subprocess.run(
        [sys.executable, "-c", READ], env={**os.environ, "LD_LIBRARY_PATH": str(tmp_path)}, capture_output=True,
        text=True, timeout=120, check=False,
    )  # fmt: skip
    assert ended.stdout.strip() == "(True, 5) (10, 15) (100, 115) (True, 116) (True, 246) (10, 256)", ended.stderr
