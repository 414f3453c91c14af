"""Tensors made from stored ones, against the same done by torch on what was saved."""

import pytest
import torch
from safetensors.torch import save_file
from vidrt_reference.checkpoint.derived import reordered, reshaped, rows, scaled, transposed
from vidrt_reference.checkpoint.read import read_tensor
from vidrt_reference.checkpoint.stored import read_header

MATRIX = torch.arange(12, dtype=torch.float16).reshape(6, 2)


@pytest.fixture
def stored(tmp_path):
    """Saves tensors and finds them."""

    def save(**tensors):
        save_file(tensors, tmp_path / "model.safetensors")
        return read_header(tmp_path / "model.safetensors")

    return save


def test_rows_lie_where_they_lay(stored):
    """A part along the first axis is bytes of the same file, and can be taken of a part again."""
    part = rows(stored(a=torch.ones(3), m=MATRIX)["m"], 2, 5)
    assert torch.equal(read_tensor(part), MATRIX[2:5])
    assert torch.equal(read_tensor(rows(part, 1, 2)), MATRIX[3:4])
    assert part.recipe is None
    with pytest.raises(ValueError, match="6 rows"):
        rows(stored(m=MATRIX)["m"], 4, 7)


def test_rows_may_be_in_another_order(stored):
    """Each once, of a matrix or a vector, and of what is itself made of another."""
    order = [4, 0, 5, 1, 3, 2]
    found = stored(m=MATRIX, v=MATRIX[:, 1].contiguous())
    assert torch.equal(read_tensor(reordered(found["m"], order)), MATRIX[order])
    assert torch.equal(read_tensor(reordered(found["v"], order)), MATRIX[order, 1])
    assert torch.equal(read_tensor(reordered(transposed(found["m"]), [1, 0])), MATRIX.T[[1, 0]])
    with pytest.raises(ValueError, match="6 rows"):
        reordered(found["m"], [0, 1, 2, 3, 4, 4])


def test_axes_may_be_others(stored):
    """The same numbers in the same order."""
    assert torch.equal(read_tensor(reshaped(stored(m=MATRIX)["m"], 3, 4)), MATRIX.reshape(3, 4))
    with pytest.raises(ValueError, match="cannot have the shape"):
        reshaped(stored(m=MATRIX)["m"], 5, 2)


def test_a_matrix_turned_over(stored):
    """Of any part, in its own dtype."""
    turned = transposed(rows(stored(m=MATRIX)["m"], 0, 4))
    assert (turned.shape, turned.nbytes) == ((2, 4), 16)
    assert torch.equal(read_tensor(turned), MATRIX[:4].T)


@pytest.mark.parametrize("dtype", [torch.float8_e4m3fn, torch.float8_e5m2])
@pytest.mark.parametrize("scale", [torch.tensor(0.37), torch.tensor([0.37]), torch.linspace(0.1, 2, 6)])
def test_eight_bits_and_a_scale(stored, dtype, scale):
    """One scale for all, or one a row; the product is rounded once."""
    eight = torch.randn(6, 5).to(dtype)
    found = stored(w=eight, s=scale)
    got = read_tensor(scaled(found["w"], found["s"]))
    assert got.dtype == torch.bfloat16
    assert torch.equal(got, (eight.float() * scale.reshape(-1, 1)).to(torch.bfloat16))
    assert scaled(found["w"], found["s"]).nbytes == 60


def test_bytes_off_their_boundary_are_copied(tmp_path):
    """A file whose header has an odd length leaves values on odd addresses."""
    header = b'{"x":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}'
    header += b" " * (1 + 8 - len(header) % 8)
    path = tmp_path / "odd.safetensors"
    path.write_bytes(len(header).to_bytes(8, "little") + header + torch.tensor([1.5, -2.0]).numpy().tobytes())
    value = read_tensor(read_header(path)["x"])
    assert value.tolist() == [1.5, -2.0]
    assert value.data_ptr() % 4 == 0
