"""Layers in blocks of four bits against dense layers of the same numbers."""

import pytest
import torch
from closeness import relative_l2
from torch import nn
from vidrt_reference.quantised import BlockForm, QuantisedEmbedding, QuantisedLinear, quantise

ROWS, COLUMNS = 12, 512
FORMS = {
    "a plane": BlockForm(block=32),
    "a plane from zero, with minimums": BlockForm(block=32, zero=0, has_min=True),
    "two planes": BlockForm(block=32, planes=2),
    "two planes, with minimums": BlockForm(block=32, planes=2, has_min=True),
    "groups": BlockForm(block=16, group=16),
    "all of it": BlockForm(block=32, planes=2, has_min=True, group=8),
}


def filled(matrix):
    """Random integers and scales in a matrix's buffers."""
    generator = torch.Generator().manual_seed(5)
    for name, value in matrix.named_buffers():
        if value.dtype is torch.float16:
            value.copy_(0.02 * torch.randn(value.shape, generator=generator))
        else:
            low, high = (-100, 100) if value.dtype is torch.int8 else (0, 256)
            value.copy_(torch.randint(low, high, value.shape, generator=generator))
        assert value.any(), name
    return matrix


def dense(matrix):
    """The same matrix as numbers, written down by the words of the form."""
    form, buffers = matrix.form, dict(matrix.named_buffers())

    def nibbles(plane):
        return torch.stack([plane.int() % 16, plane.int() // 16], dim=-1).flatten(-2)  # (rows, blocks, block)

    def factors(name):
        value = buffers[name].double()
        return (value * buffers[f"group_{name}"].double() if form.group > 1 else value).reshape(ROWS, -1, 1)

    integers = nibbles(buffers["low"]) - form.zero
    if form.planes > 1:
        integers = 16 * (nibbles(buffers["high"]) - 8) + nibbles(buffers["low"])
    numbers = integers * factors("scales")
    return (numbers + factors("mins") if form.has_min else numbers).reshape(ROWS, COLUMNS)


@pytest.mark.parametrize("form", FORMS)
def test_products_are_those_of_the_numbers(form):
    """A linear layer in blocks equals a dense one within fp32."""
    layer = filled(QuantisedLinear(ROWS, COLUMNS, FORMS[form]))
    x = torch.randn(2, 5, COLUMNS, generator=torch.Generator().manual_seed(6))
    wanted = x.double() @ dense(layer).T
    assert relative_l2(layer(x), wanted.float()) < 1e-6


@pytest.mark.parametrize("form", FORMS)
def test_rows_are_those_of_the_numbers(form):
    """Rows that are looked up in blocks equal those of a dense table."""
    table = filled(QuantisedEmbedding(ROWS, COLUMNS, FORMS[form]))
    numbers = torch.tensor([[3, 0, 11], [3, 3, 7]])
    assert relative_l2(table(numbers), dense(table)[numbers].float()) < 1e-6


def test_layers_are_put_in_the_place_of_dense_ones():
    """Only what is named is replaced, each by its kind and in its size."""
    model = nn.ModuleDict({"a": nn.Embedding(4, 64), "b": nn.Sequential(nn.Linear(64, 8, bias=False), nn.LayerNorm(8))})
    form = BlockForm(block=32)
    assert quantise(model, {"a": form, "b.0": form}) is model
    assert isinstance(model["a"], QuantisedEmbedding)
    assert isinstance(model["b"][0], QuantisedLinear)
    assert isinstance(model["b"][1], nn.LayerNorm)
    assert (model["b"][0].rows, model["b"][0].columns) == (8, 64)
    assert {name for name in model.state_dict() if name.startswith("b.0")} == {"b.0.low", "b.0.scales"}
