"""Settings of a bundle of Stable Video Diffusion, and the pipeline that was recorded in two passes."""

import shutil

import pytest
from vidrt.images.clip import MEAN, STD
from vidrt.pipelines.ltx_video import played_passes
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


@pytest.fixture(scope="session")
def official(checkpoints, tmp_path_factory):
    """The tiny official file whose VAE the pipeline of two passes was recorded with."""
    import ltx_original
    from vidrt_export.sources.source import read_source

    folder = tmp_path_factory.mktemp("official")
    for name in ("text_encoder", "tokenizer"):
        shutil.copytree(checkpoints("0.9.0") / name, folder / name)
    return read_source(ltx_original.save(folder / "ltxv.safetensors"))


@pytest.fixture
def pipeline_of(official):
    """A function of the version: the recorded pipeline, played by the runtime."""
    from ltx_two_pass_pipeline import make_pipeline

    return lambda version: make_pipeline(official, version)


@pytest.fixture
def upscalings(monkeypatch):
    """Fills with what each run has between its passes: latents (B, C, F, H, W) of twice the size."""
    found = []
    adain = played_passes.adain

    def kept(*given):
        found.append(adain(*given))
        return found[-1]

    monkeypatch.setattr(played_passes, "adain", kept)
    return found
