"""Modules in half precision with islands and residual streams in fp32."""

import pytest
import torch
from torch import nn
from vidrt_reference.layers import Linear
from vidrt_reference.precision import narrowed, to_precision, widened

HALVES = [torch.float16, torch.bfloat16]


class Block(nn.Module):
    def __init__(self):
        super().__init__()
        self.norm = nn.LayerNorm(4)
        self.inner = nn.ModuleDict({"a": Linear(4, 4), "b": Linear(4, 4)})

    def forward(self, x):
        return x + self.inner["b"](torch.relu(self.inner["a"](x)))


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.table = nn.Parameter(torch.zeros(4))
        self.enter = Linear(4, 4)
        self.blocks = nn.ModuleList(Block() for _ in range(11))
        self.register_buffer("count", torch.zeros(2, dtype=torch.int64))

    def forward(self, x):
        x = self.enter(x)
        for block in self.blocks:
            x = block(x)
        return x


def wide_names(module):
    return {name for name, value in module.named_parameters() if value.dtype is torch.float32}


@pytest.mark.parametrize("dtype", HALVES)
@pytest.mark.parametrize(
    ("patterns", "wanted"),
    [
        ((), set()),
        (("",), {"table"}),  # the module itself is a name, of its own parameters and those of all its parts
        (("enter",), {"enter.weight", "enter.bias"}),
        (("blocks.1",), {f"blocks.1.{leaf}" for leaf in ("norm", "inner.a", "inner.b")}),
        (("blocks.*.inner.[b]", "nothing"), {f"blocks.{number}.inner.b" for number in range(11)}),
        (("*.norm",), {f"blocks.{number}.norm" for number in range(11)}),
        (("block", "locks.1"), set()),
    ],
)
def test_exactly_the_named_modules_are_wide(dtype, patterns, wanted):
    """A pattern names a module whole, with all its parts, and no other that begins so."""
    module = to_precision(Model(), dtype, wide=patterns)
    found = wide_names(module)
    if patterns == ("",):
        assert found >= wanted
    else:
        assert {name.removesuffix(".weight").removesuffix(".bias") for name in found} == {
            name.removesuffix(".weight").removesuffix(".bias") for name in wanted
        }
    assert {value.dtype for value in module.parameters()} <= {dtype, torch.float32}
    assert module.count.dtype is torch.int64


@pytest.mark.parametrize("dtype", HALVES)
@torch.no_grad()
def test_streams_stay_wide_and_products_narrow(dtype):
    """From where a stream begins every sum is fp32, and every product takes and gives half precision."""
    seen = {}

    def note(name):
        def hook(_, __, output):
            seen[name] = output.dtype

        return hook

    for streams, wanted in (((), dtype), (("enter",), torch.float32)):
        module = to_precision(Model(), dtype, streams=streams)
        for number, block in enumerate(module.blocks):
            block.register_forward_hook(note(f"block {number}"))
            block.inner["b"].register_forward_hook(note(f"product {number}"))
        assert module(torch.randn(2, 4)).dtype is wanted
        assert {seen[f"block {number}"] for number in range(11)} == {wanted}
        assert {seen[f"product {number}"] for number in range(11)} == {dtype}


@torch.no_grad()
def test_fp32_is_left_as_it_is():
    """Asked for fp32, weights, hooks and results are those of before."""
    torch.manual_seed(0)
    module, x = Model(), torch.randn(2, 4)
    before = module(x)
    assert to_precision(module, torch.float32, wide=("enter",), streams=("enter", "")) is module
    assert torch.equal(module(x), before)
    assert not any(part._forward_hooks for part in module.modules())


def test_meta_and_fake_modules_change_too():
    """Where tensors have no memory, types change all the same, and stay there."""
    from torch._subclasses.fake_tensor import FakeTensor, FakeTensorMode

    with torch.device("meta"):
        module = to_precision(Model(), torch.bfloat16, wide=("enter",))
    assert all(value.is_meta for value in module.parameters())
    assert wide_names(module) == {"enter.weight", "enter.bias"}
    with FakeTensorMode():
        fake = to_precision(Model(), torch.float16, wide=("enter",))
    assert all(isinstance(value.data, FakeTensor) for value in fake.parameters())
    assert wide_names(fake) == {"enter.weight", "enter.bias"}


@pytest.mark.parametrize("dtype", [*HALVES, torch.float32, torch.float64])
def test_what_is_as_wide_is_itself(dtype):
    """A graph in fp32 gets no cast: the very tensor comes back."""
    x = torch.ones(2, dtype=dtype)
    assert (widened(x) is x) == (dtype not in HALVES)
    assert widened(x).dtype is (torch.float32 if dtype in HALVES else dtype)
    assert narrowed(x, dtype) is x
    assert narrowed(x, torch.float16).dtype is torch.float16
