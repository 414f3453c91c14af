"""The generator repeats torch's CUDA generator: its words bit for bit, its numbers as GPUs printed them."""

import copy

import numpy as np
import pytest
from vidrt.noise.gpus import GPUS, gpu_named
from vidrt.noise.philox import philox4x32
from vidrt.noise.torch_cuda import TorchCudaGenerator

# Random123's kat_vectors, `philox4x32 10`: counter, key, words
KNOWN_ANSWERS = [
    ("00000000 00000000 00000000 00000000", "00000000 00000000", "6627e8d5 e169c58d bc57ac4c 9b00dbd8"),
    ("ffffffff ffffffff ffffffff ffffffff", "ffffffff ffffffff", "408f276d 41c83b0e a20bc7c6 6d5451fd"),
    ("243f6a88 85a308d3 13198a2e 03707344", "a4093822 299f31d0", "d16cfe09 94fdcceb 5001e420 24126ea1"),
]
# torch.manual_seed(0); torch.randn(…, device="cuda"), as printed in many places: no GPU is full with so few
SEED_0 = [
    [-0.9247, -0.4253, -2.6438, 0.1452, -0.1209, -0.5797, -0.6229, -0.3284],
    [-1.0745, -0.3631, -1.6711, 2.2655, 0.3117, -0.1842, 1.2866, 1.1820],
    [-0.1271, 1.2169, 1.4353, 1.0605, -0.4941, -1.4244, -0.7244, -1.2973],
    [0.0697, -0.0074, 1.8969, 0.6878, -0.0779, -0.8373, 1.3506, -0.2879],
]
# github.com/pytorch/pytorch/issues/97097: seed 14, (1000, 100), mean 5, standard deviation 5**.5, on an RTX A4000
A4000 = [
    [2.8731, 5.2727, 2.9889, 1.6853, 9.6331, 6.6319],
    [3.9968, 3.8097, 5.7328, 4.4029, 3.9804, 7.4698],
    [6.5552, 4.0857, 4.2315, 2.7704, 3.5479, 3.3063],
    [8.6297, 2.3137, 6.2596, 7.9358, 4.4697, 2.7475],
    [7.0551, 7.8583, 3.9990, 4.1139, 8.9315, 4.2042],
    [2.7337, 2.2106, 7.7815, 8.2207, 6.5395, 4.2604],
]
# github.com/pytorch/pytorch/issues/158398: seed 42, (1, 64, 2048), on an RTX 3060
RTX_3060 = [
    [0.1940, 2.1614, -0.1721, 1.4540, -2.7733, -0.8932],
    [-0.4574, 0.8063, 0.1580, 0.1124, 0.2769, -1.2535],
    [1.1346, -0.6329, -0.9147, -1.0001, -1.1552, -0.6955],
    [-0.4861, 0.3358, 1.0578, -0.7282, 0.5087, 0.1318],
    [0.7881, 0.8339, -1.1424, -0.6297, -1.1112, -0.4091],
    [-1.2356, -0.4083, -0.4695, -0.4841, 1.2850, -0.0282],
]
PRINTED = 5.1e-5  # four decimals


def words(text):
    return [int(word, 16) for word in text.split()]


def edges(values):
    """The corners of a matrix that torch prints."""
    ends = [0, 1, 2, -3, -2, -1]
    return values[ends][:, ends]


def drawn(seed, gpu, *shapes):
    generator = TorchCudaGenerator(seed, gpu_named(gpu))
    return [generator.normal(shape) for shape in shapes]


@pytest.mark.parametrize(("counter", "key", "answer"), KNOWN_ANSWERS)
def test_philox_gives_the_published_words(counter, key, answer):
    low, high = words(key)
    given = tuple(np.array([word], np.uint64) for word in words(counter))
    assert [int(word[0]) for word in philox4x32(given, high << 32 | low)] == words(answer)


@pytest.mark.parametrize("gpu", [gpu.name for gpu in GPUS])
def test_few_numbers_are_those_of_any_gpu(gpu):
    np.testing.assert_allclose(drawn(0, gpu, (4, 8))[0], SEED_0, rtol=0, atol=PRINTED)


def test_an_rtx_a4000_agrees():
    values = drawn(14, "NVIDIA RTX A4000", (1000, 100))[0] * 5**0.5 + 5
    np.testing.assert_allclose(edges(values), A4000, rtol=0, atol=2 * PRINTED)


def test_an_rtx_3060_agrees():
    values = drawn(42, "NVIDIA GeForce RTX 3060", (1, 64, 2048))[0]
    np.testing.assert_allclose(edges(values[0]), RTX_3060, rtol=0, atol=PRINTED)


@pytest.mark.parametrize(
    ("gpu", "last"), [("H100 SXM", [-0.6970, -0.7780, 0.3267]), ("A100", [0.1549, -0.6797, -0.1656])]
)
def test_large_gpus_agree_where_they_differ_from_each_other(gpu, last):
    """github.com/pytorch/pytorch/issues/143086: seed 1, the same call on an H100 and an A100."""
    values = drawn(1, gpu, (1, 49 * 12 * 112 * 144))[0][0]
    np.testing.assert_allclose(values[:3], [-0.2963, 2.6764, -0.1408], rtol=0, atol=PRINTED)
    np.testing.assert_allclose(values[-3:], last, rtol=0, atol=PRINTED)


def test_an_rtx_a6000_agrees():
    """github.com/pytorch/pytorch/issues/62467: seed 43."""
    values = drawn(43, "RTX A6000", (1, 3, 128, 128))[0]
    np.testing.assert_allclose(values[0, :, 0, 0], [1.9983, 0.8704, 2.1127], rtol=0, atol=PRINTED)


@pytest.mark.parametrize(("size", "same"), [(40960, True), (40961, False)])
def test_two_gpus_part_where_the_smaller_is_full(size, same):
    """github.com/pytorch/pytorch/issues/194676: a T4 and an L4 agree up to 40960 values, and not from there."""
    small, large = (drawn(5, gpu, (size,))[0] for gpu in ("T4", "L4"))
    assert np.array_equal(small, large) is same


def test_a_call_moves_on_by_the_steps_of_a_thread():
    """torch's offset grows by the rounds of the grid, not by the numbers drawn: a short call takes a whole round."""
    one = drawn(9, "4x256", (1,), (1,), (4 * 1024 + 1,), (1,))
    two = drawn(9, "4x256", (256,), (1024,), (4 * 1024 + 5,), (300,))
    assert one[1][0] == two[1][0]
    assert np.array_equal(one[2], two[2][: 4 * 1024 + 1])
    assert one[3][0] == two[3][0]


def test_a_copy_goes_on_from_where_the_stream_stands():
    generator = TorchCudaGenerator(3, gpu_named("H200"))
    generator.normal((5,))
    twin = copy.deepcopy(generator)
    assert np.array_equal(generator.normal((2, 3)), twin.normal((2, 3)))


@pytest.mark.parametrize("seed", [0, 2**63, 2**64 - 1])
def test_the_numbers_are_normal(seed):
    values = drawn(seed, "3x1024", (200_000,))[0]
    assert abs(values.mean()) < 0.01
    assert abs(values.std() - 1) < 0.01
    assert np.isfinite(values).all()


@pytest.mark.parametrize("shape", [(0,), (2, 0, 3)])
def test_an_empty_shape_draws_nothing_and_moves_nothing(shape):
    empty, after = drawn(0, "T4", shape, ())
    assert empty.shape == shape
    assert after == np.float32(drawn(0, "T4", (1,))[0][0])
    assert after.dtype == np.float32


@pytest.mark.parametrize("seed", [-1, 2**64])
def test_a_seed_out_of_range_is_refused(seed):
    with pytest.raises(ValueError, match=f"between 0 and.*not {seed}"):
        TorchCudaGenerator(seed, GPUS[0])


def test_a_call_that_torch_would_split_is_refused():
    with pytest.raises(ValueError, match="fewer than 536870912 values"):
        TorchCudaGenerator(0, GPUS[0]).normal((2**29,))
