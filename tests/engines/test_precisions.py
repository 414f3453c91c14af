"""Recipes of half precision."""

from vidrt_engines.names import COMPONENTS, Component, Family, Precision
from vidrt_engines.precisions import BOUNDS, INT8, ISLANDS, SAFE_FP16


def test_every_component_of_ltx_video_has_a_recipe():
    """Its residual streams, which stay in fp32, begin somewhere."""
    assert all(set(ISLANDS[family]) == set(COMPONENTS[family]) for family in Family)


def test_bounds_are_the_projects_own():
    """What the design allows per component, in relative L2 against fp32."""
    assert BOUNDS == {
        Precision.FP32: 1e-5, Precision.FP16: 3e-3, Precision.BF16: 1e-2, Precision.INT8: 3e-2,
    }  # fmt: skip


def test_components_of_linear_layers_have_int8():
    """VAEs and the upsampler, which are convolutions, have none."""
    convolutions = {Component.VAE_ENCODER, Component.VAE_DECODER, Component.LATENT_UPSAMPLER}
    assert all(set(INT8[family]) == set(COMPONENTS[family]) - convolutions for family in Family)


def test_t5_is_not_trusted_in_fp16():
    """Its feed-forward goes beyond 65504, so that it is built in bf16 unless it is named."""
    assert SAFE_FP16[Component.TEXT_ENCODER] is Precision.BF16
