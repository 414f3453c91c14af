"""What a run would take, found without running it."""

import json
import subprocess
import sys

import pytest
import tiny_bundles
import torch
from torch import nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode
from vidrt_export.checks.cost import cost
from vidrt_export.checks.examples import example_inputs
from vidrt_export.part import as_arguments
from vidrt_export.sources.diffusers_folder import read_diffusers_folder

SIZES = {"timestep_tokens": 1}
SECONDS = 120


@pytest.mark.parametrize("component", tiny_bundles.COMPONENTS)
def test_operations_are_torchs_count(checkpoints, component):
    """As many as torch's own counter finds when the component really runs, and nothing is left of it."""
    part = read_diffusers_folder(checkpoints("0.9.1")).parts[component]
    sizes = {**part.sizes, **SIZES}
    module, inputs = part.make().eval(), example_inputs(part, sizes)
    # attention taken apart: PyTorch counts its kernel for the CPU as nothing
    with sdpa_kernel(SDPBackend.MATH), FlopCounterMode(display=False) as counter, torch.no_grad():
        module(**as_arguments(inputs))
    found = cost(part.make, lambda: as_arguments({n: torch.empty(v.shape, dtype=v.dtype) for n, v in inputs.items()}))
    assert found.flops == counter.get_total_flops() > 0
    assert found.peak_bytes > sum(value.nbytes for value in module(**as_arguments(inputs)).unbind())


def test_the_peak_is_of_what_lives_at_once():
    """Two results of a megabyte at a time however many layers, weights and inputs not counted."""

    def make():
        return nn.Sequential(*(nn.ReLU() for _ in range(10)))

    found = cost(make, lambda: {"input": torch.empty(1 << 18)})
    assert 1 << 20 <= found.peak_bytes <= 2 << 20
    assert found.flops == 0


def test_half_precision_takes_half_the_memory():
    """The type that counts is the module's."""

    def make(dtype):
        return nn.Sequential(nn.Linear(64, 512, dtype=dtype), nn.GELU())

    def peak(dtype):
        return cost(lambda: make(dtype), lambda: {"input": torch.empty(1000, 64, dtype=dtype)}).peak_bytes

    assert peak(torch.float32) == 2 * peak(torch.bfloat16)


MEASURED = """
import json
import torch
from torch import nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from vidrt_export.checks.cost import cost
from vidrt_export.checks.memory import own_peak_bytes as peak

def make():
    # no convolution: PyTorch's brings its operands into blocks of its own
    return nn.Sequential(nn.Linear(64, 256), nn.SiLU(), nn.Linear(256, 64))

def given(rows):
    return {"input": torch.empty(rows, 64)}

torch.set_num_threads(1)
with torch.no_grad():
    make()(torch.zeros(8, 64))
    told = cost(make, lambda: given(100_000)).peak_bytes
    x, module = torch.zeros(100_000, 64), make()
    before = peak()
    module(x)
print(json.dumps([told, peak() - before]))
"""


@pytest.mark.skipif(sys.platform == "win32", reason="there is no count of a process's peak memory here")
def test_the_peak_is_near_a_measured_one():
    """A run of 200 MB of activations takes between half and twice what was told."""
    done = subprocess.run([sys.executable, "-c", MEASURED], check=True, capture_output=True, text=True, timeout=SECONDS)
    told, measured = json.loads(done.stdout)
    assert told > 200e6
    assert measured / 2 < told < measured * 2
