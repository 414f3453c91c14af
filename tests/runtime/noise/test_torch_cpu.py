"""The generator repeats torch's CPU generator, number for number."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from vidrt.noise.torch_cpu import TorchCpuGenerator

SEEDS = [0, 1, 42, 2**31, 2**32 - 1, 2**32, 2**32 + 42, 2**63, 2**64 - 1]
SHORT = [(), (1,), (2,), (15,), (3, 5)]
LONG = [
    (16,),
    (17,),
    (31,),
    (32,),
    (33,),
    (100,),
    (1, 8, 3, 4, 5),
    (65536,),
    (65537,),
    (65551,),
    (65552,),
    (131072 + 33,),
]
# torch without vector instructions rounds the angle elsewhere
TOLERANCE = 3e-6 if torch.backends.cpu.get_cpu_capability() == "DEFAULT" else 1e-6


def torch_generator(seed):
    return torch.Generator("cpu").manual_seed(seed)


def assert_same_call(ours, theirs, shape):
    values, expected = ours.normal(shape), torch.randn(shape, generator=theirs).numpy()
    assert values.dtype == np.float32
    assert values.shape == expected.shape
    if values.size < 16:
        assert values.tobytes() == expected.tobytes()
    else:
        np.testing.assert_allclose(values, expected, rtol=0, atol=TOLERANCE)


@pytest.mark.parametrize("shape", SHORT)
@pytest.mark.parametrize("seed", SEEDS)
def test_fewer_than_16_values_agree_bit_for_bit(seed, shape):
    assert_same_call(TorchCpuGenerator(seed), torch_generator(seed), shape)


@pytest.mark.parametrize("shape", LONG)
@pytest.mark.parametrize("seed", SEEDS)
def test_longer_calls_agree_within_the_tolerance(seed, shape):
    assert_same_call(TorchCpuGenerator(seed), torch_generator(seed), shape)


@pytest.mark.parametrize("seed", SEEDS)
def test_tensors_in_another_order_of_axes_agree(seed):
    """What torch fills a permuted tensor with, in the order of memory, between calls of all kinds and lengths."""
    ours, theirs = TorchCpuGenerator(seed), torch_generator(seed)
    for shape in [(1, 7, 3), (2, 3, 2), (1, 5, 5), (3,), (2, 12, 8), (1, 70001, 3), (1,), (1, 400, 33), (40,)]:
        if len(shape) < 3:
            assert_same_call(ours, theirs, shape)
            continue
        expected = torch.empty(shape).transpose(1, 2).normal_(generator=theirs).transpose(1, 2).numpy()
        values = ours.strided(shape)
        assert values.dtype == np.float32
        np.testing.assert_allclose(values, expected, rtol=0, atol=5e-7)


def test_a_clip_of_latents_agrees():
    shape = (1, 128, 21, 32, 48)
    assert_same_call(TorchCpuGenerator(7), torch_generator(7), shape)


@pytest.mark.parametrize("shape", [(0,), (2, 0, 3)])
def test_an_empty_shape_draws_nothing(shape):
    ours, theirs = TorchCpuGenerator(3), torch_generator(3)
    for each in [shape, (3,), shape, (1,)]:
        assert_same_call(ours, theirs, each)


def test_the_second_of_a_pair_outlives_a_long_call():
    ours, theirs = TorchCpuGenerator(0), torch_generator(0)
    for shape in [(3,), (16,), (1,), (1,), (33,), (2,)]:
        assert_same_call(ours, theirs, shape)


@settings(deadline=None)
@given(st.integers(0, 2**64 - 1), st.lists(st.integers(0, 70), max_size=12))
def test_any_sequence_of_calls_agrees(seed, sizes):
    ours, theirs = TorchCpuGenerator(seed), torch_generator(seed)
    for size in sizes:
        assert_same_call(ours, theirs, (size,))


@settings(deadline=None, max_examples=20)
@given(st.integers(0, 2**64 - 1), st.integers(16, 300_000))
def test_any_length_agrees_and_leaves_the_same_state(seed, size):
    ours, theirs = TorchCpuGenerator(seed), torch_generator(seed)
    assert_same_call(ours, theirs, (size,))
    assert_same_call(ours, theirs, (3,))


@pytest.mark.parametrize("seed", [-1, 2**64])
def test_a_seed_out_of_range_is_refused(seed):
    with pytest.raises(ValueError, match=f"between 0 and.*not {seed}"):
        TorchCpuGenerator(seed)
