"""Matrices rounded a part at a time while they are written."""

import pytest
import torch
from safetensors.torch import save_file
from vidrt_reference.checkpoint.read import read_tensor
from vidrt_reference.checkpoint.rounded import rounded
from vidrt_reference.checkpoint.stored import read_header
from vidrt_reference.int8 import in_whole_numbers


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16])
def test_parts_make_the_whole(tmp_path, dtype):
    """More rows than are rounded at once give what all of them at once give, turned over, with a scale for each."""
    matrix = torch.randn(2500, 33, generator=torch.Generator().manual_seed(0)).to(dtype)
    save_file({"layer.weight": matrix}, tmp_path / "model.safetensors")
    pieces = rounded(read_header(tmp_path / "model.safetensors")["layer.weight"])
    numbers, scales = in_whole_numbers(matrix)
    assert torch.equal(read_tensor(pieces["numbers"]), numbers.T)
    assert torch.equal(read_tensor(pieces["scales"]), scales)
    told = {name: (piece.dtype, piece.shape, piece.nbytes) for name, piece in pieces.items()}
    assert told == {"numbers": ("I8", (33, 2500), 33 * 2500), "scales": ("F32", (2500,), 4 * 2500)}
