"""Weights that are read when their layer runs and gone after it."""

import json
import subprocess
import sys

import pytest
import torch
from closeness import relative_l2
from safetensors.torch import save_file
from torch import nn
from vidrt_reference.checkpoint.load import load
from vidrt_reference.checkpoint.stored import read_header
from vidrt_reference.checkpoint.streaming import stream_weights

SECONDS = 120


class Model(nn.Module):
    """Layers, a parameter of its own, a layer that runs twice, and one that never does."""

    def __init__(self):
        super().__init__()
        self.scale = nn.Parameter(torch.randn(8))
        self.layers = nn.Sequential(nn.Linear(8, 8), nn.LayerNorm(8), nn.Linear(8, 8, bias=False))
        self.twice = nn.Linear(8, 8)
        self.unused = nn.Linear(8, 8)

    def forward(self, x):
        return self.twice(self.twice(self.layers(x))) * self.scale


@pytest.fixture
def stored(tmp_path):
    save_file(Model().state_dict(), tmp_path / "model.safetensors")
    return read_header(tmp_path / "model.safetensors")


def on_meta(dtype=torch.float32):
    with torch.device("meta"):
        return Model().to(dtype).eval()


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16])
@torch.no_grad()
def test_the_numbers_are_those_of_loading(stored, dtype):
    """In every type, run after run, streamed weights give what loaded ones give, to the bit."""
    streamed, loaded = on_meta(dtype), on_meta(dtype)
    stream_weights(streamed, stored)
    load(loaded, stored)
    for seed in range(2):
        x = torch.randn(3, 8, generator=torch.Generator().manual_seed(seed)).to(dtype)
        assert torch.equal(streamed(x), loaded(x))


@torch.no_grad()
def test_nothing_stays_behind(stored):
    """While a layer runs, only its own weights and those around it are there; afterwards none is."""
    model, present = on_meta(), {}
    stream_weights(model, stored)

    def look(name):
        def hook(*_):
            present[name] = {n for n, value in model.named_parameters() if not value.is_meta}

        return hook

    model.layers[2].register_forward_pre_hook(look("third"))
    model.twice.register_forward_hook(look("after twice"))
    model(torch.zeros(1, 8))
    assert present == {"third": {"scale", "layers.2.weight"}, "after twice": {"scale"}}
    assert all(value.is_meta for value in model.parameters())
    assert not any(value.requires_grad for value in model.layers.parameters())


def test_a_weight_that_is_not_stored_is_an_error(stored):
    """Before anything runs."""
    del stored["twice.bias"]
    with pytest.raises(KeyError, match=r"twice\.bias"):
        stream_weights(on_meta(), stored)


@torch.no_grad()
def test_a_component_streams(checkpoints):
    """The transformer of a real checkpoint gives the loaded one's velocity."""

    from vidrt_export.checks.examples import example_inputs
    from vidrt_export.sources.diffusers_folder import read_diffusers_folder

    part = read_diffusers_folder(checkpoints("0.9.0")).parts["transformer"]
    sizes = {"batch": 2, "tokens": 12, "timestep_tokens": 1, "text_tokens": 5}
    inputs = example_inputs(part, sizes)
    loaded = part.make().eval()
    load(loaded, part.tensors)
    with torch.device("meta"):
        streamed = part.make().eval()
    stream_weights(streamed, part.used())
    assert relative_l2(streamed(**inputs), loaded(**inputs)) == 0


PEAK = """
import json, resource, sys
from pathlib import Path
import torch
from torch import nn
from vidrt_reference.checkpoint.stored import read_header
from vidrt_reference.checkpoint.streaming import stream_weights

def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)

def run(depth):
    with torch.device("meta"):
        model = nn.Sequential(*(nn.Linear(2000, 2000, bias=False) for _ in range(depth))).to(torch.bfloat16)
    stored = read_header(Path(sys.argv[1]))
    stream_weights(model, {name: stored[name] for name in model.state_dict()})
    with torch.no_grad():
        assert model(torch.ones(1, 2000, dtype=torch.bfloat16)).isfinite().all()

run(1)
before = peak()
run(25)
print(json.dumps(peak() - before))
"""


@pytest.mark.skipif(sys.platform == "win32", reason="there is no count of a process's peak memory here")
def test_the_peak_is_a_fraction_of_the_weights(tmp_path):
    """A component of 400 MB raises the peak by less than 60 MB: a few of its 16 MB layers."""
    weight = torch.randn(2000, 2000) / 2000**0.5
    save_file({f"{number}.weight": weight.clone() for number in range(25)}, tmp_path / "model.safetensors")
    done = subprocess.run(
        [sys.executable, "-c", PEAK, tmp_path / "model.safetensors"],
        check=True, capture_output=True, text=True, timeout=SECONDS,
    )  # fmt: skip
    assert (tmp_path / "model.safetensors").stat().st_size >= 400e6
    assert json.loads(done.stdout) < 60e6
