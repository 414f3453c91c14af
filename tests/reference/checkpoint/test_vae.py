"""Telling a VAE's tensors apart."""

from pathlib import Path

import pytest
from vidrt_reference.checkpoint.errors import CheckpointError
from vidrt_reference.checkpoint.stored import StoredTensor
from vidrt_reference.checkpoint.vae import split_vae

STATISTICS = ("latents_mean", "latents_std")


def stored(*names):
    return {
        name: StoredTensor(name=name, dtype="F32", shape=(1,), path=Path("x"), offset=8, nbytes=4) for name in names
    }


def test_each_tensor_is_used_once():
    """Every tensor goes to exactly one part, halves losing their prefix and keeping their name in the file."""
    tensors = stored("decoder.conv_in.bias", "encoder.conv_in.bias", "encoder.decoder.bias", *STATISTICS)
    parts = split_vae(tensors)
    assert parts.decoder.keys() == {"conv_in.bias"}
    assert parts.encoder.keys() == {"conv_in.bias", "decoder.bias"}
    assert parts.statistics.keys() == set(STATISTICS)
    names = [tensor.name for part in (parts.decoder, parts.encoder, parts.statistics) for tensor in part.values()]
    assert sorted(names) == sorted(tensors)


@pytest.mark.parametrize(
    ("names", "told"),
    [
        (("quant_conv.weight", *STATISTICS), r"1 left over \(quant_conv.weight\)"),
        (("decoder.x", "latents_mean"), r"1 missing \(latents_std\)"),
        (("vae.decoder.x",), r"1 left over \(vae.decoder.x\) and 2 missing \(latents_mean\)"),
    ],
)
def test_nothing_is_passed_over(names, told):
    """A tensor that belongs nowhere, and a statistic that is missing, are refused."""
    with pytest.raises(CheckpointError, match=told):
        split_vae(stored(*names))
