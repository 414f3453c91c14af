"""Arrays on the device: the formulas of a step on them, memory that is used again, the way in and out."""

import gc

import numpy as np
import pytest
from host_cuda import HostCuda
from vidrt.cuda.arrays import DeviceArray, concatenated
from vidrt.cuda.device import CudaDevice
from vidrt.cuda.staging import Staging
from vidrt.errors import EngineError, OutOfMemoryError
from vidrt.pipelines.ltx_video.guidance import classifier_free
from vidrt.schedulers.flow_match_euler import euler_step, stochastic_step


@pytest.fixture
def cuda():
    return HostCuda()


@pytest.fixture
def device(cuda):
    with CudaDevice(cuda) as device:
        yield device
    assert cuda.leaks == {}


def draw(*shape, seed=0):
    return np.random.default_rng(seed).standard_normal(shape, np.float32)


FORMULAS = {
    "guidance": lambda x, y, _: classifier_free(x, y, 3.0),
    "euler": lambda x, y, _: euler_step(x, y, np.float32(0.7), np.float32(0.3)),
    "stochastic": lambda x, y, z: stochastic_step(x, y, np.float32(0.7), np.float32(0.3), z),
}


@pytest.mark.parametrize("formula", FORMULAS)
def test_the_formulas_of_a_step_give_numpys_bits(device, formula):
    """Guidance and both kinds of step, unchanged, on arrays of the device."""
    values = [draw(2, 6, 4, seed=seed) for seed in range(3)]
    got = FORMULAS[formula](*map(device.put, values))
    assert isinstance(got, DeviceArray)
    assert (got.shape, len(got), got.dtype, got.nbytes) == ((2, 6, 4), 2, np.float32, 192)
    assert np.asarray(got).tobytes() == FORMULAS[formula](*values).tobytes()


def test_arrays_never_change(device):
    """An operation leaves its arguments as they are."""
    x, y = device.put(draw(5)), device.put(draw(5, seed=1))
    _ = x + y, x - y, np.float32(2) * x, x * 3
    assert np.array_equal(x, draw(5))
    assert np.array_equal(y, draw(5, seed=1))


@pytest.mark.parametrize("other", [2.0, np.float32(2), 2])
def test_numbers_multiply_from_both_sides(device, other):
    """A Python number and numpy's fp32 are numbers."""
    x = device.put(draw(5))
    for product in (other * x, x * other):
        assert np.array_equal(product, draw(5) * np.float32(2))


REFUSED = {
    "numpy on the right": lambda x: x + draw(5),
    "numpy on the left": lambda x: draw(5) - x,
    "numpy as a factor": lambda x: x * draw(5),
    "a number added": lambda x: x + 1.0,
    "a double on the right": lambda x: x * np.float64(2),
    "a double on the left": lambda x: np.float64(2) * x,
    "a function of numpy": np.sqrt,
}


@pytest.mark.parametrize("operation", REFUSED)
def test_what_is_not_there_is_an_error(device, operation):
    """What would go through the host, or be rounded otherwise than numpy rounds it, is refused."""
    with pytest.raises(TypeError):
        REFUSED[operation](device.put(draw(5)))


def test_shapes_must_agree(device):
    """Nothing is broadcast."""
    with pytest.raises(ValueError, match=r"shapes \(5,\) and \(4,\)"):
        device.put(draw(5)) + device.put(draw(4))
    with pytest.raises(ValueError, match="without a copy"):
        np.array(device.put(draw(5)), copy=False)


def test_rows_are_views(device, cuda):
    """A part of a batch lies in the whole, and keeps it alive; parts are joined on the device."""
    whole, allocated = device.put(draw(3, 4)), cuda.calls["allocate"]
    parts = [whole[:2], whole[2:3]]
    assert cuda.calls["allocate"] == allocated
    del whole
    gc.collect()
    joined = concatenated(parts)
    assert isinstance(joined, DeviceArray)
    assert np.array_equal(joined, draw(3, 4))
    assert concatenated([joined]) is joined
    assert np.array_equal(concatenated([draw(1, 2), draw(2, 2)]), np.concatenate([draw(1, 2), draw(2, 2)]))


def test_a_loop_allocates_in_its_first_rounds_only(device, cuda):
    """Blocks come back when nothing refers to them, and are handed out again."""
    x, y = device.put(draw(1000)), device.put(draw(1000, seed=1))
    expected = draw(1000)
    for round_ in range(20):
        x = euler_step(x, y, np.float32(0.7), np.float32(0.6))
        expected = euler_step(expected, draw(1000, seed=1), np.float32(0.7), np.float32(0.6))
        if round_ == 2:
            allocated = cuda.calls["allocate"]
    assert cuda.calls["allocate"] == allocated
    assert np.array_equal(x, expected)


def test_idle_memory_is_given_up_before_there_is_too_little(cuda):
    """Blocks that wait for another use make room for one of another size; memory in use stays."""
    cuda.total = 5000
    with CudaDevice(cuda) as device:
        kept = device.put(draw(256))
        device.empty((500,))
        held = device.empty((900,))
        assert np.array_equal(kept, draw(256))
        with pytest.raises(OutOfMemoryError):
            device.empty((500,))
        assert len(held) == 900
        with pytest.raises(OutOfMemoryError):
            device.workspace.at_least(1000)


def test_the_workspace_grows_and_is_one(device, cuda):
    """A smaller need is met by what is there; for a larger one the old piece is released first."""
    first = device.workspace.at_least(1000)
    assert device.workspace.at_least(10) == device.workspace.at_least(1024) == first
    used = cuda.used
    device.workspace.at_least(5000)
    assert device.workspace.size == 5120
    assert cuda.used == used - 1024 + 5120


def test_values_of_a_closed_device_say_so(cuda, sentence):
    """An array that outlives its pipeline is an error of one sentence, not a look at freed memory."""
    with CudaDevice(cuda) as device:
        array = device.put(draw(5))
    device.close()
    with pytest.raises(EngineError) as error:
        np.asarray(array)
    assert "went with their pipeline" in sentence(error)
    assert cuda.leaks == {}


@pytest.mark.parametrize("count", [0, 1, 64, 65, 1000])
def test_large_arrays_pass_a_short_strip(cuda, count):
    """Arrays longer than the page-locked memory go piece by piece, many small ones without being overwritten."""
    stream = cuda.create_stream()
    staging, pointers = Staging(cuda, stream, size=256), []
    values = [draw(count, seed=seed) for seed in range(5)]
    for item in values:
        pointers.append(cuda.allocate(4 * max(count, 1)))
        staging.upload(pointers[-1], item)
        item.fill(0)  # it may change as soon as the call returns
    for seed, pointer in enumerate(pointers):
        got = np.empty(count, np.float32)
        staging.download(got, pointer)
        assert np.array_equal(got, draw(count, seed=seed))
    staging.close()
    staging.close()


def test_small_uploads_do_not_wait(cuda):
    """As long as there is room in the strip, the queue goes on."""
    stream = cuda.create_stream()
    staging, pointer = Staging(cuda, stream), cuda.allocate(4)
    for _ in range(100):
        staging.upload(pointer, np.ones(1, np.float32))
    assert cuda.calls["synchronise"] == 0
