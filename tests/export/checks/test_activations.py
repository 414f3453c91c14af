"""What a component takes in memory, fitted at a few sizes, beside the count at others."""

import pytest
import tiny_ltx
from vidrt_engines.axes import axis_sizes
from vidrt_engines.names import Component, Precision
from vidrt_engines.streaming import stage_sizes
from vidrt_export.checks.cost import cost
from vidrt_export.checks.counts import counts_of, empty_arguments
from vidrt_export.sources.diffusers_folder import read_diffusers_folder


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    """A tiny checkpoint of the newest form, whose VAE streams."""
    return read_diffusers_folder(tiny_ltx.save(tmp_path_factory.mktemp("tiny") / "tiny", "0.9.5"), None)


def counted(part, sizes):
    """The count at one size by itself."""
    return cost(part.make, lambda: empty_arguments(part.signature, sizes)).peak_bytes


@pytest.mark.parametrize("name", ["text_encoder", "transformer", "vae_encoder", "vae_decoder"])
def test_other_sizes_are_met(checkpoint, name):
    """Sizes that were not counted, of real videos, are within 3 % of their own count."""
    part = checkpoint.parts[Component(name)]
    sizes = axis_sizes(checkpoint.settings, height=512, width=768, num_frames=97, text_tokens=200)
    assert counts_of(part, Precision.FP32).activations.at(sizes) == pytest.approx(counted(part, sizes), rel=0.03)


def test_stages_are_met(checkpoint):
    """So are the decoder's stages between two chunks."""
    for stage in checkpoint.parts[Component.VAE_DECODER].stages[::3]:
        sizes = stage_sizes(stage.signature, batch=1, frames=stage.first_frames, rows=12, columns=20)
        assert counts_of(stage, Precision.FP32).activations.at(sizes) == pytest.approx(counted(stage, sizes), rel=0.03)


def test_weights_are_widened_where_they_are_kept_in_half(checkpoint):
    """The largest weight that is multiplied counts in fp32; embeddings, which are looked up, do not."""
    part = checkpoint.parts[Component.TEXT_ENCODER]
    config = tiny_ltx.TEXT_ENCODER
    assert counts_of(part, Precision.BF16).activations.widened == 4 * config["d_model"] * config["d_ff"]
    assert counts_of(part, Precision.FP32).activations.widened == 0
