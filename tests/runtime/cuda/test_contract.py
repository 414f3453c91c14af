"""What the runtime needs of CUDA, asked of the double everywhere and of the driver where there is a GPU."""

from importlib.resources import files
from itertools import pairwise

import numpy as np
import pytest
from host_cuda import HostCuda
from vidrt.cuda.base import ALIGNMENT
from vidrt.cuda.driver import DriverCuda
from vidrt.errors import OutOfMemoryError
from vidrt_engines.cuda_driver import cuda_driver


@pytest.fixture(params=["double", pytest.param("driver", marks=pytest.mark.gpu)])
def cuda(request):
    """The double, or the first GPU."""
    if request.param == "double":
        return HostCuda()
    if problem := cuda_driver().problem:
        pytest.skip(problem)
    return DriverCuda(0)


class Desk:
    """A stream, and values that go to the device and back."""

    def __init__(self, cuda):
        self.cuda, self.stream = cuda, cuda.create_stream()
        self.pointers, self.pinned = [], []

    def empty(self, count):
        self.pointers.append(self.cuda.allocate(4 * count))
        return self.pointers[-1]

    def host(self, size):
        self.pinned.append(self.cuda.allocate_host(size))
        return self.pinned[-1]

    def put(self, values):
        pointer, host = self.empty(len(values)), self.host(values.nbytes)
        host[:] = values.view(np.uint8)
        self.cuda.upload(pointer, host, self.stream)
        return pointer

    def get(self, pointer, count):
        host = self.host(4 * count)
        self.cuda.download(host, pointer, self.stream)
        self.cuda.synchronise(self.stream)
        return host.view(np.float32).copy()

    def close(self):
        self.cuda.synchronise(self.stream)
        for pointer in self.pointers:
            self.cuda.free(pointer)
        for host in self.pinned:
            self.cuda.free_host(host)
        self.cuda.destroy_stream(self.stream)


@pytest.fixture
def desk(cuda):
    desk = Desk(cuda)
    yield desk
    desk.close()


def draw(count, seed=0):
    """Values of every size, with zeros of both signs, denormal numbers and large ones."""
    rng = np.random.default_rng(seed)
    values = (rng.standard_normal(count) * 10.0 ** rng.integers(-30, 30, count)).astype(np.float32)
    edges = np.array([0.0, -0.0, 1e-40, -1e-45, 1e38, 1.0, -1.0], np.float32)
    return np.concatenate([edges, values])[:count]


@pytest.mark.parametrize("count", [1, 3, 1000, 300_001])
def test_values_come_back_as_they_went(desk, count):
    """What is uploaded, copied on the device and downloaded is the same to the bit."""
    values = draw(count)
    source, target = desk.put(values), desk.empty(count)
    desk.cuda.copy(target, source, values.nbytes, desk.stream)
    assert desk.get(target, count).tobytes() == values.tobytes()


@pytest.mark.parametrize("count", [1, 255, 256, 257, 100_003])
@pytest.mark.parametrize(("a", "b"), [(1.0, 1.0), (1.0, -1.0), (0.1, -0.7), (3.0, 0.0)])
def test_combining_is_numpys_to_the_bit(desk, count, a, b):
    """Each product and the sum are rounded to fp32 on their own: no fused multiply-add, no flushed denormals."""
    x, y = draw(count, 1), draw(count, 2)
    out = desk.empty(count)
    desk.cuda.combine(out, a, desk.put(x), b, desk.put(y), count, desk.stream)
    expected = np.float32(a) * x + np.float32(b) * y
    assert np.array_equal(desk.get(out, count).view(np.uint32), expected.view(np.uint32))


def test_one_term_keeps_the_sign_of_zero(desk):
    """Without a second term nothing is added, so that -0 stays -0; the result may take the place of the argument."""
    values = draw(50)
    pointer = desk.put(values)
    desk.cuda.combine(pointer, -2.0, pointer, 0.0, None, len(values), desk.stream)
    expected = np.float32(-2) * values
    assert desk.get(pointer, len(values)).tobytes() == expected.tobytes()


def test_a_stream_works_in_order(desk):
    """Each piece of work sees what the one before it left."""
    pointer = desk.put(np.ones(100, np.float32))
    for _ in range(10):
        desk.cuda.combine(pointer, 1.0, pointer, 1.0, pointer, 100, desk.stream)
    assert (desk.get(pointer, 100) == 2.0**10).all()


def test_memory_is_aligned_and_apart(cuda):
    """Blocks begin where TensorRT wants its memory to begin, and do not overlap."""
    sizes = [1, ALIGNMENT, 1000, 5]
    pointers = [cuda.allocate(size) for size in sizes]
    assert all(pointer % ALIGNMENT == 0 for pointer in pointers)
    ends = sorted((pointer, pointer + size) for pointer, size in zip(pointers, sizes, strict=True))
    assert all(end <= begin for (_, end), (begin, _) in pairwise(ends))
    for pointer in pointers:
        cuda.free(pointer)


def test_memory_is_counted(cuda):
    """Free memory falls by what is taken and comes back; all of it stays."""
    size = 256 << 20
    free, total = cuda.memory()
    pointer = cuda.allocate(size)
    less, same = cuda.memory()
    cuda.free(pointer)
    assert same == total >= free
    assert free - less >= size // 2
    assert cuda.memory()[0] > less


def test_too_much_memory_is_refused_and_nothing_breaks(desk):
    """Asking for more than there is has its own error, after which the device works as before."""
    with pytest.raises(OutOfMemoryError, match="CUDA has no"):
        desk.cuda.allocate(1 << 50)
    assert desk.get(desk.put(np.ones(3, np.float32)), 3).tolist() == [1, 1, 1]


def test_a_graph_does_again_what_was_recorded(desk):
    """Recording does nothing; each launch does all of it on what lies at the same addresses then."""
    cuda, stream = desk.cuda, desk.stream
    pointer, other = desk.put(np.ones(7, np.float32)), desk.put(np.full(7, 3, np.float32))
    cuda.combine(pointer, 1.0, pointer, 1.0, other, 7, stream)  # compiles the kernel, which recording may not do
    assert (desk.get(pointer, 7) == 4).all()
    cuda.begin_capture(stream)
    cuda.combine(pointer, 1.0, pointer, 1.0, other, 7, stream)
    graph = cuda.end_capture(stream)
    assert (desk.get(pointer, 7) == 4).all()
    for expected in (7, 10):
        cuda.launch(graph, stream)
        assert (desk.get(pointer, 7) == expected).all()
    cuda.destroy_graph(graph)


def test_the_kernel_rounds_after_each_operation():
    """The kernel that ships has products and sums with a rounding of their own, which no compiler may contract."""
    text = files("vidrt.cuda").joinpath("combine.ptx").read_text(encoding="ascii")
    code = [line.split() for line in text.splitlines() if not line.startswith("//")]
    operations = {
        line[0] for line in code if line and line[0].endswith(".f32") and not line[0].startswith((".", "ld", "st"))
    }
    assert operations == {"mul.rn.f32", "add.rn.f32"}
