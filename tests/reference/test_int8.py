"""Linear layers in whole numbers of 8 bits."""

import pytest
import torch
from closeness import relative_l2
from torch import nn
from vidrt_reference.int8 import LARGEST, Int8Linear, in_whole_numbers, linear_layers, to_int8

pytestmark = pytest.mark.usefixtures("_no_grad")


@pytest.fixture
def _no_grad():
    with torch.no_grad():
        yield


def drawn(*shape, seed=0):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def both(columns, rows, *, bias=True):
    """A linear layer and the same in whole numbers."""
    layer = nn.Linear(columns, rows, bias=bias)
    layer.weight.data = drawn(rows, columns, seed=1) * 0.02
    rounded = Int8Linear(columns, rows, bias=bias)
    rounded.numbers, rounded.scales = in_whole_numbers(layer.weight.data)
    rounded.numbers = rounded.numbers.T
    if bias:
        layer.bias.data = rounded.bias.data = drawn(rows, seed=2)
    return layer, rounded


@pytest.mark.parametrize(
    "matrix", [drawn(7, 64), drawn(7, 63), drawn(3, 2) * 1e-20, torch.ones(4, 6), -torch.ones(4, 6)]
)
def test_whole_numbers_are_near(matrix):
    """Each is within half a step of its number, and steps are fine."""
    numbers, scales = in_whole_numbers(matrix)
    assert (numbers.float() * scales[:, None] - matrix).abs().amax(1).le(scales * 0.5001).all()
    assert scales.le(matrix.abs().amax(1) * 2 / LARGEST * 1.0001).all()


@pytest.mark.parametrize(
    "matrix", [drawn(50, 300), drawn(50, 301), torch.ones(1, 8), drawn(20, 64).abs(), drawn(9, 4) ** 5]
)
def test_neighbours_fit_sixteen_bits(matrix):
    """Two products with neighbours, of activations up to 255, never go beyond what 16 bits hold."""
    numbers = in_whole_numbers(matrix)[0].int()
    even, odd = numbers[:, 0:-1:2], numbers[:, 1::2]
    assert (
        255 * torch.maximum(even.clamp_min(0) + odd.clamp_min(0), (-even).clamp_min(0) + (-odd).clamp_min(0))
    ).max() < 2**15


def test_a_matrix_of_zeros_stays_zeros():
    """And nothing is divided by them."""
    numbers, scales = in_whole_numbers(torch.zeros(3, 5))
    assert not numbers.any()
    assert scales.isfinite().all()


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("columns", [256, 255])
def test_a_layer_is_near_its_original(columns, bias):
    """Within two hundredths, and not the same."""
    layer, rounded = both(columns, 96, bias=bias)
    x = drawn(2, 10, columns, seed=3)
    assert 1e-4 < relative_l2(rounded(x), layer(x)) < 2e-2


def test_a_loud_row_costs_the_others_nothing():
    """One token ten thousand times as loud as the rest leaves them as they were; a row of zeros stays one."""
    layer, rounded = both(128, 64, bias=False)
    x = drawn(1, 12, 128, seed=3)
    x[:, 3] *= 1e4
    x[:, 5] = 0
    got, wanted = rounded(x), layer(x)
    others = [row for row in range(12) if row not in {3, 5}]
    assert relative_l2(got[:, others], wanted[:, others]) < 2e-2
    assert relative_l2(got[:, 3], wanted[:, 3]) < 2e-2
    assert not got[:, 5].any()


def test_layers_are_chosen_by_name():
    """Linear layers alone, but for those whose name matches; their buffers have the shapes that they will have."""
    module = nn.Sequential(
        nn.Linear(4, 6), nn.LayerNorm(6), nn.Sequential(nn.Linear(6, 8, bias=False)), nn.Linear(8, 2)
    )
    layers = linear_layers(module, ("3",))
    assert layers == ["0", "2.0"]
    to_int8(module, layers)
    kinds = [type(part) for part in (module[0], module[1], module[2][0], module[3])]
    assert kinds == [Int8Linear, nn.LayerNorm, Int8Linear, nn.Linear]
    shapes = {name: tuple(value.shape) for name, value in module.state_dict().items() if name.startswith(("0", "2"))}
    assert shapes == {"0.numbers": (4, 6), "0.scales": (6,), "0.bias": (6,), "2.0.numbers": (6, 8), "2.0.scales": (8,)}
