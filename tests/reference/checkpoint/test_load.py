"""Strict loading: nothing missing, nothing left over, nothing of the wrong shape."""

import re

import pytest
import torch
from safetensors.torch import save_file
from torch import nn
from vidrt_reference.checkpoint.errors import CheckpointError
from vidrt_reference.checkpoint.load import load, match
from vidrt_reference.checkpoint.read import read_tensor
from vidrt_reference.checkpoint.stored import read_header

VALUES = {"weight": torch.randn(2, 3), "bias": torch.randn(2)}


def stored(tmp_path, values):
    save_file(values, tmp_path / "model.safetensors")
    return read_header(tmp_path / "model.safetensors")


@pytest.mark.parametrize("device", ["cpu", "meta"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float64])
@pytest.mark.parametrize("stored_as", [torch.float32, torch.float16, torch.bfloat16])
def test_fills_a_module_in_its_own_dtype(tmp_path, device, dtype, stored_as):
    """Values arrive cast to the dtype that the module has, whether it has memory yet or not."""
    module = nn.Linear(3, 2, device=device, dtype=dtype)
    values = {name: value.to(stored_as) for name, value in VALUES.items()}
    load(module, stored(tmp_path, values))
    for name, value in values.items():
        got = module.get_parameter(name)
        assert not got.requires_grad
        torch.testing.assert_close(got.detach(), value.to(dtype), rtol=0, atol=0)


def test_fills_from_several_files(tmp_path):
    """Tensors may lie in different files, and under other names than the module's."""
    save_file({"x.weight": VALUES["weight"]}, tmp_path / "1.safetensors")
    save_file({"x.bias": VALUES["bias"]}, tmp_path / "2.safetensors")
    found = {**read_header(tmp_path / "1.safetensors"), **read_header(tmp_path / "2.safetensors")}
    module = nn.Linear(3, 2)
    load(module, {name.removeprefix("x."): tensor for name, tensor in found.items()})
    assert torch.equal(module.bias, VALUES["bias"])


def test_fills_buffers_that_are_saved(tmp_path):
    """A persistent buffer is looked for as a parameter is; one that is not saved is left alone."""
    module = nn.Linear(3, 2, device="meta")
    module.register_buffer("kept", torch.zeros(2, device="meta"))
    module.register_buffer("passing", torch.ones(1), persistent=False)
    load(module, stored(tmp_path, {**VALUES, "kept": torch.full((2,), 5.0)}))
    assert module.kept.tolist() == [5.0, 5.0]
    assert module.passing.tolist() == [1.0]


def test_optional_names_may_be_stored_or_not(tmp_path):
    """A name that is declared optional may be left over, and need not be there."""
    found = stored(tmp_path, {**VALUES, "twin": VALUES["bias"].clone()})
    load(nn.Linear(3, 2), found, optional=("twin",))
    load(nn.Linear(3, 2), {name: found[name] for name in VALUES}, optional=("twin",))


def test_every_fault_is_told_at_once(tmp_path):
    """Keys missing, left over and of the wrong shape are all counted, and the first of each are named."""
    found = stored(tmp_path, {"bias": torch.zeros(3), **{f"more.{number}": torch.zeros(1) for number in range(5)}})
    told = (
        "Expected the part's 2 tensors, but the checkpoint has 1 missing (weight); "
        "5 left over (more.0, more.1, more.2, …); 1 of the wrong shape (bias [3] instead of [2]): "
    )
    with pytest.raises(CheckpointError, match=re.escape(told)):
        match({"weight": (2, 3), "bias": (2,)}, found, what="part")


@pytest.mark.parametrize(
    ("values", "told"),
    [
        ({"weight": VALUES["weight"]}, "1 missing (bias)"),
        ({**VALUES, "extra": torch.zeros(1)}, "1 left over (extra)"),
        ({**VALUES, "bias": torch.zeros(2, 1)}, "1 of the wrong shape (bias [2, 1] instead of [2])"),
    ],
)
def test_loading_is_strict(tmp_path, values, told):
    """Each fault alone stops the loading, before any value is written."""
    module = nn.Linear(3, 2)
    before = module.weight.clone()
    with pytest.raises(CheckpointError, match=re.escape(told)):
        load(module, stored(tmp_path, values), what="part")
    assert torch.equal(module.weight, before)


def test_quantised_weights_are_refused(tmp_path):
    """Integers in the place of a weight mean a quantised checkpoint, not values to be cast."""
    values = {**VALUES, "weight": torch.ones(2, 3, dtype=torch.int8)}
    with pytest.raises(CheckpointError, match="floating point, but weight is I8"):
        load(nn.Linear(3, 2), stored(tmp_path, values))


def test_eight_bit_floats_are_cast_with_a_warning(tmp_path):
    """Weights in fp8 that come without a scale are cast, and that is said."""
    values = {**VALUES, "weight": VALUES["weight"].to(torch.float8_e4m3fn)}
    module = nn.Linear(3, 2)
    with pytest.warns(UserWarning, match=r"1 of the part's weights are stored in 8 bits without a scale \(weight\)"):
        load(module, stored(tmp_path, values), what="part")
    torch.testing.assert_close(module.weight.detach(), values["weight"].float(), rtol=0, atol=0)


def test_reads_one_tensor(tmp_path):
    """One tensor can be read by itself, in its stored dtype."""
    found = stored(tmp_path, {"a": torch.arange(3).to(torch.bfloat16)})
    assert read_tensor(found["a"]).dtype == torch.bfloat16
    assert read_tensor(found["a"]).tolist() == [0, 1, 2]
