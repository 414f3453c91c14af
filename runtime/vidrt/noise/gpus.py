"""GPUs whose CUDA generators can be repeated: beyond a size the numbers follow the GPU's processors."""

import re
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Gpu:
    """What of a GPU decides its random numbers, as `torch.cuda.get_device_properties` gives it.

    Attributes:
        name: as `--generator` takes it.
        processors: streaming multiprocessors that are on, not those of the full chip.
        threads: the most that one multiprocessor holds; 2048 on 7.0, 8.0, 9.0 and 10.0, 1024 on 7.5, 1536 on 8.6, 8.9
            and 12.0 (CUDA's table of compute capabilities).
        also: further names, as a driver reports them, without the maker.
    """

    name: str
    processors: int
    threads: int
    also: tuple[str, ...] = ()


_V100 = ("V100-SXM2-16GB", "V100-SXM2-32GB", "V100-PCIE-16GB", "V100-PCIE-32GB")
_A100 = ("A100-SXM4-40GB", "A100-SXM4-80GB", "A100-PCIE-40GB", "A100 80GB PCIe")
_PRO_6000 = ("RTX PRO 6000 Blackwell Server Edition", "RTX PRO 6000 Blackwell Workstation Edition")
GPUS = (
    Gpu(name="T4", processors=40, threads=1024),
    Gpu(name="V100", processors=80, threads=2048, also=_V100),
    Gpu(name="A10", processors=72, threads=1536),
    Gpu(name="A10G", processors=80, threads=1536),
    Gpu(name="A40", processors=84, threads=1536),
    Gpu(name="A100", processors=108, threads=2048, also=_A100),
    Gpu(name="L4", processors=58, threads=1536),
    Gpu(name="L40", processors=142, threads=1536),
    Gpu(name="L40S", processors=142, threads=1536),
    Gpu(name="H20", processors=78, threads=2048),
    Gpu(name="H100 PCIe", processors=114, threads=2048),
    Gpu(name="H100 SXM", processors=132, threads=2048, also=("H100 80GB HBM3",)),
    Gpu(name="H100 NVL", processors=132, threads=2048),
    Gpu(name="H200", processors=132, threads=2048),
    Gpu(name="B200", processors=148, threads=2048),
    Gpu(name="RTX 2070 Super", processors=40, threads=1024),
    Gpu(name="RTX 3060", processors=28, threads=1536),
    Gpu(name="RTX 3090", processors=82, threads=1536),
    Gpu(name="RTX 4080", processors=76, threads=1536),
    Gpu(name="RTX 4090", processors=128, threads=1536),
    Gpu(name="RTX 5080", processors=84, threads=1536),
    Gpu(name="RTX 5090", processors=170, threads=1536),
    Gpu(name="RTX A4000", processors=48, threads=1536),
    Gpu(name="RTX A5000", processors=64, threads=1536),
    Gpu(name="RTX A6000", processors=84, threads=1536),
    Gpu(name="RTX 6000 Ada", processors=142, threads=1536, also=("RTX 6000 Ada Generation",)),
    Gpu(name="RTX PRO 6000", processors=188, threads=1536, also=_PRO_6000),
)


def gpu_named(name: str) -> Gpu:
    """Finds a GPU by its name, in any case and with or without its maker, or reads `PROCESSORSxTHREADS`.

    Raises:
        ValueError: no such GPU; the message lists those that are known.
    """
    for gpu in GPUS:
        if _plain(name) in {_plain(known) for known in (gpu.name, *gpu.also)}:
            return gpu
    if match := re.fullmatch(r"([1-9]\d{0,3})x(256|512|768|1024|1280|1536|1792|2048)", name):
        return Gpu(name=name, processors=int(match[1]), threads=int(match[2]))
    known = ", ".join(gpu.name for gpu in GPUS)
    raise ValueError(
        f"The generator should be cpu, a GPU ({known}) or its multiprocessors and the threads that each holds, "
        f"as in 132x2048, not '{name}'."
    )


def _plain(name: str) -> str:
    return re.sub(r"\b(nvidia|geforce|tesla)\b|[^a-z0-9]", "", name.casefold())
