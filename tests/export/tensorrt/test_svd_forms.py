"""Stable Video Diffusion in half precision, compiled by TensorRT for RTX with a small profile."""

import pytest
import tiny_bundles
import tiny_svd
from vidrt_engines.profiles import Span

SIZES = {"resolutions": ("64x64:64x64:64x96",), "frames": ("3",)}
ROWS, COLUMNS, ONE = Span(min=8, opt=8, max=8), Span(min=8, opt=8, max=12), Span(min=1, opt=1, max=1)
PROFILES = {
    "image_encoder": {"batch": ONE},
    "unet": {"batch": ONE, "frames": Span(min=3, opt=3, max=3), "latent_rows": ROWS, "latent_columns": COLUMNS},
    # frames may be decoded in chunks
    "vae_decoder": {"batch": ONE, "frames": Span(min=1, opt=3, max=3), "latent_rows": ROWS, "latent_columns": COLUMNS},
}


@pytest.mark.parametrize("component", ["image_encoder", "vae_decoder", pytest.param("unet", marks=pytest.mark.slow)])
@pytest.mark.usefixtures("cached_traces")
def test_a_plan_is_compiled(svd_checkpoint, tmp_path, component):
    """The engine is one plan, of fp16 where nothing is asked, for the profile that the sizes make."""
    tiny_bundles.build(
        svd_checkpoint, tmp_path / "out", components=(component,), backends=(tiny_bundles.RTX,),
        options=tiny_bundles.unchecked(), **SIZES,
    )  # fmt: skip
    engine = tiny_bundles.engine_of(tmp_path / "out", component)
    assert engine.precision == "fp16"
    assert engine.profiles == (PROFILES[component],)
    assert [path.name for path in (tmp_path / "out" / engine.files[0].path).parent.iterdir()] == ["model.plan"]


def test_the_tiny_unet_has_heads_for_fused_attention():
    """What is compiled here meets the kernels that the real one meets."""
    widths, heads = tiny_svd.UNET["block_out_channels"], tiny_svd.UNET["num_attention_heads"]
    assert all(width // count >= 16 for width, count in zip(widths, heads, strict=True))
