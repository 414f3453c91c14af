"""The shift that grows with the number of tokens."""

import pytest
from vidrt_engines.versions import LTX_SHIFT


def test_the_published_shift_of_the_usual_size():
    """512x768 with 97 frames is 4992 latent tokens, for which the exponent is 2.371."""
    assert 13 * 16 * 24 == 4992
    assert LTX_SHIFT.at(4992) == pytest.approx(2.371, abs=5e-4)


def test_the_shift_passes_through_its_two_ends():
    """The constants are LTX-Video's, not Flux's: 0.95 at 1024 tokens and 2.05 at 4096, and a line beyond both."""
    assert LTX_SHIFT.at(1024) == pytest.approx(0.95, abs=1e-12)
    assert LTX_SHIFT.at(4096) == pytest.approx(2.05, abs=1e-12)
    assert LTX_SHIFT.at(2560) == pytest.approx(1.5, abs=1e-12)
    assert LTX_SHIFT.at(0) == pytest.approx(0.95 - 1.1 / 3, abs=1e-12)
    assert LTX_SHIFT.at(7168) == pytest.approx(3.15, abs=1e-12)


@pytest.mark.parametrize("tokens", [1, 30, 1024, 4992, 20_000])
def test_the_shift_is_that_of_diffusers(tokens):
    """The exponent is what diffusers' LTXPipeline hands to its scheduler, to the last bit."""
    from diffusers.pipelines.ltx.pipeline_ltx import calculate_shift

    assert LTX_SHIFT.at(tokens) == calculate_shift(tokens, 1024, 4096, 0.95, 2.05)
