"""The sizes of named axes for a video."""

import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st
from vidrt_engines.axes import axes_of, axis_sizes
from vidrt_engines.components import Signature
from vidrt_engines.tensors import TensorSpec


def test_sizes_of_a_video(settings):
    """Pixels, latents, tokens and noise maps of a video as LTX-Video compresses it: 32 in space, 8 in time."""
    assert axis_sizes(settings, height=512, width=768, num_frames=97, text_tokens=128, batch=2) == {
        "batch": 2,
        "tokens": 13 * 16 * 24,
        "timestep_tokens": 1,
        "text_tokens": 128,
        "latent_frames": 13,
        "latent_rows": 16,
        "latent_columns": 24,
        "frames": 97,
        "rows": 512,
        "columns": 768,
        "rows_x1": 16,
        "columns_x1": 24,
        "rows_x2": 32,
        "columns_x2": 48,
    }


def test_one_frame_is_one_latent_frame(settings):
    """An image has the tokens of its rows and columns."""
    sizes = axis_sizes(settings, height=32, width=96, num_frames=1, text_tokens=1)
    assert (sizes["latent_frames"], sizes["tokens"], sizes["batch"]) == (1, 3, 1)


@pytest.mark.parametrize("noise", [(), (2, 2, 4)])
def test_noise_maps_are_those_injected(settings, noise):
    """There is an axis for each scale at which the decoder takes noise, and none besides."""
    changed = dataclasses.replace(settings, injected_noise=noise)
    sizes = axis_sizes(changed, height=64, width=64, num_frames=9, text_tokens=1)
    assert {axis for axis in sizes if "_x" in axis} == {f"{side}_x{k}" for side in ("rows", "columns") for k in noise}


@given(
    spatial=st.sampled_from([8, 16, 32]), temporal=st.sampled_from([1, 4, 8]),
    rows=st.integers(1, 50), columns=st.integers(1, 50), frames=st.integers(1, 40),
)  # fmt: skip
def test_compression_is_undone(spatial, temporal, rows, columns, frames):
    """From a video of so many latents, the same latents come back, whatever the compression."""

    class Compression:
        spatial_compression, temporal_compression, injected_noise = spatial, temporal, ()

    sizes = axis_sizes(
        Compression, height=rows * spatial, width=columns * spatial, num_frames=(frames - 1) * temporal + 1,
        text_tokens=3,
    )  # fmt: skip
    assert (sizes["latent_frames"], sizes["latent_rows"], sizes["latent_columns"]) == (frames, rows, columns)
    assert sizes["tokens"] == frames * rows * columns


def test_axes_are_those_that_go_in():
    """Named axes of all inputs: no number, and none of the outputs."""
    spec = TensorSpec(name="latents", dtype="float32", axes=("batch", "tokens", "8"))
    other = TensorSpec(name="timestep", dtype="float32", axes=("batch",))
    out = TensorSpec(name="velocity", dtype="float32", axes=("elsewhere",))
    assert axes_of(Signature(inputs=(spec, other), outputs=(out,))) == {"batch", "tokens"}
