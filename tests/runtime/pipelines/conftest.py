"""Settings of a bundle of Stable Video Diffusion."""

import pytest
from vidrt.images.clip import MEAN, STD
from vidrt_engines.svd_settings import KarrasSettings, SvdSettings


@pytest.fixture
def svd_settings():
    """The published checkpoints' own."""
    return SvdSettings(
        pipeline_class="StableVideoDiffusionPipeline",
        scheduler=KarrasSettings(),
        latent_channels=4,
        spatial_compression=8,
        size_step=8,
        scaling_factor=0.18215,
        image_size=224,
        image_mean=MEAN,
        image_std=STD,
        embedding_width=1024,
    )
