"""Which generator a run draws from."""

from vidrt.noise.base import Generator
from vidrt.noise.gpus import gpu_named
from vidrt.noise.torch_cpu import TorchCpuGenerator
from vidrt.noise.torch_cuda import TorchCudaGenerator

CPU = "cpu"


def generator_name(name: str) -> str:
    """The one spelling of a generator's name: `cpu`, or a GPU's.

    Raises:
        ValueError: neither; the message lists the known names.
    """
    return CPU if name == CPU else gpu_named(name).name


def make_generator(name: str, seed: int) -> Generator:
    """Makes the generator of that name at the beginning of a seed's stream.

    Raises:
        ValueError: no such generator, or a seed out of range.
    """
    return TorchCpuGenerator(seed) if name == CPU else TorchCudaGenerator(seed, gpu_named(name))
