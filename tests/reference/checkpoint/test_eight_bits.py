"""Weights in 8 bits: each comes out as its number times its scale, and no scale is passed over."""

import re

import pytest
import torch
from safetensors.torch import save_file
from vidrt_reference.checkpoint.eight_bits import in_sixteen_bits
from vidrt_reference.checkpoint.errors import CheckpointError
from vidrt_reference.checkpoint.read import read_tensor
from vidrt_reference.checkpoint.stored import read_header

EIGHTS = (torch.float8_e4m3fn, torch.float8_e5m2)


def stored(path, tensors):
    save_file(tensors, path / "file.safetensors")
    return read_header(path / "file.safetensors")


def drawn(*shape):
    return torch.randn(shape, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("dtype", EIGHTS)
@pytest.mark.parametrize("leaf", ["weight_scale", "scale_weight"])
@pytest.mark.parametrize("shape", [(), (1,), (6,), (6, 1)])
def test_a_scale_multiplies_its_weight(tmp_path, dtype, leaf, shape):
    """One number for all rows or one for each, under either name, computed in fp32 and kept in bfloat16."""
    weight, scale = drawn(6, 5).to(dtype), drawn(*shape).abs() + 0.5
    found = in_sixteen_bits(
        stored(
            tmp_path,
            {"a.weight": weight, f"a.{leaf}": scale, "a.input_scale": scale.clone(), "b.scale_input": scale.clone()},
        )
    )
    wanted = (weight.float() * (scale if scale.numel() == 1 else scale.reshape(6, 1))).bfloat16()
    assert found.tensors.keys() == {"a.weight"}
    assert found.tensors["a.weight"].nbytes == 2 * 6 * 5
    assert torch.equal(read_tensor(found.tensors["a.weight"]), wanted.reshape(6, 5))
    assert found.note("transformer") is None


@pytest.mark.parametrize("dtype", EIGHTS)
def test_every_number_in_8_bits_stays(tmp_path, dtype):
    """Without a scale a weight is cast, which loses nothing, and is told; what is wider stays as it is."""
    weight = torch.arange(256, dtype=torch.uint8).view(dtype)
    plain = drawn(3, 2)
    found = in_sixteen_bits(stored(tmp_path, {"a.weight": weight, "b.weight": plain, "scaled_fp8": weight[:0]}))
    assert found.tensors.keys() == {"a.weight", "b.weight"}
    got, wanted = read_tensor(found.tensors["a.weight"]).float(), weight.float()
    assert torch.equal(got.isnan(), wanted.isnan())
    assert torch.equal(got.nan_to_num(), wanted.nan_to_num())
    assert torch.equal(read_tensor(found.tensors["b.weight"]), plain)
    assert found.note("transformer") == (
        "1 of the transformer's weights are stored in 8 bits without a scale (a.weight) and are cast."
    )


@pytest.mark.parametrize(
    ("tensors", "told"),
    [
        ({"a.weight_scale": drawn(1)}, "a weight in 8 bits beside a.weight_scale, but there is none"),
        ({"a.weight": drawn(2, 2), "a.scale_weight": drawn(1)}, "beside a.scale_weight, but it is F32"),
        (
            {"a.weight": drawn(6, 4).to(EIGHTS[0]), "a.weight_scale": drawn(2, 4)},
            "a.weight_scale to be one number or 6, one for each row, but its shape is [2, 4]",
        ),
    ],
)
def test_a_scale_that_fits_nothing_is_refused(tmp_path, tensors, told):
    """A scale that would be ignored, or spread over the wrong numbers, makes the file unreadable."""
    with pytest.raises(CheckpointError, match=re.escape(told)):
        in_sixteen_bits(stored(tmp_path, tensors))
