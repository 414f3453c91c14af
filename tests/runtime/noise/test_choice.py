"""A generator is asked for by name: the CPU's, a GPU's as its driver says it, or a GPU's two numbers."""

import pytest
from vidrt.noise.choice import generator_name, make_generator
from vidrt.noise.gpus import GPUS, gpu_named
from vidrt.noise.torch_cpu import TorchCpuGenerator
from vidrt.noise.torch_cuda import TorchCudaGenerator


@pytest.mark.parametrize(
    ("asked", "name"),
    [
        ("cpu", "cpu"),
        ("H200", "H200"),
        ("NVIDIA H200", "H200"),
        ("nvidia h100 80gb hbm3", "H100 SXM"),
        ("NVIDIA A100-SXM4-80GB", "A100"),
        ("Tesla T4", "T4"),
        ("NVIDIA GeForce RTX 4090", "RTX 4090"),
        ("rtx-4090", "RTX 4090"),
        ("132x2048", "132x2048"),
    ],
)
def test_a_name_has_one_spelling(asked, name):
    assert generator_name(asked) == name


@pytest.mark.parametrize("asked", ["", "cuda", "CPU", "H100", "RTX 1", "0x2048", "132x2000", "132x", "x2048"])
def test_an_unknown_name_is_refused_with_the_known(asked):
    with pytest.raises(ValueError, match=r"cpu, a GPU \(T4.*H200.*132x2048, not") as refused:
        generator_name(asked)
    assert f"not '{asked}'" in str(refused.value)


def test_numbers_stand_for_a_gpu():
    known, told = gpu_named("H200"), gpu_named("132x2048")
    assert (known.processors, known.threads) == (told.processors, told.threads)


def test_no_name_means_two_gpus():
    names = [name for gpu in GPUS for name in (gpu.name, *gpu.also)]
    assert [gpu_named(name).name for name in names] == [gpu.name for gpu in GPUS for _ in (gpu.name, *gpu.also)]


def test_the_name_decides_the_kind():
    assert isinstance(make_generator("cpu", 1), TorchCpuGenerator)
    assert isinstance(make_generator("L40S", 1), TorchCudaGenerator)
