"""CLIP's picture against diffusers' blur and resize, and transformers' processor."""

import tracemalloc

import numpy as np
import pytest
import torch
from diffusers.pipelines.stable_video_diffusion.pipeline_stable_video_diffusion import (
    StableVideoDiffusionPipeline,
    _resize_with_antialiasing,
)
from PIL import Image
from transformers.models.clip.image_processing_pil_clip import CLIPImageProcessorPil
from vidrt.images.clip import clip_pixels, resize_antialiased, resizing_weights
from vidrt.images.resize import signed

BOUND = 1e-6
# smaller, as large, larger, by a little and by much, odd, at the steps of the kernel's size, and of extreme shapes
SIZES = [
    (224, 224), (2, 2), (3, 2), (100, 60), (223, 225), (225, 223), (448, 449), (333, 777), (576, 1024), (671, 673),
    (897, 560), (2, 3000), (3000, 3), (64, 1999), (1333, 2001),
]  # fmt: skip


def relative_l2(got, expected):
    assert got.shape == expected.shape
    assert got.dtype == np.float32
    assert np.isfinite(got).all()
    return np.linalg.norm(got.astype(np.float64) - expected) / np.linalg.norm(expected.astype(np.float64))


@pytest.mark.parametrize("size", SIZES, ids=str)
def test_the_resize_is_diffusers(noise, size):
    """Blur and bicubic together are diffusers' to rounding, on noise, where every weight shows."""
    expected = _resize_with_antialiasing(torch.from_numpy(signed(noise(*size))), (224, 224)).numpy()
    assert relative_l2(resize_antialiased(noise(*size)), expected) <= BOUND


@pytest.mark.parametrize("side", [8, 32, 336])
@pytest.mark.parametrize("size", [(50, 77), (400, 300)], ids=str)
def test_other_squares_are_diffusers_too(noise, size, side):
    """Encoders of another size than 224 get theirs by the same rules."""
    expected = _resize_with_antialiasing(torch.from_numpy(signed(noise(*size))), (side, side)).numpy()
    assert relative_l2(resize_antialiased(noise(*size), side), expected) <= BOUND


class Encoder(torch.nn.Module):
    """Keeps what the pipeline hands to the image encoder."""

    def __init__(self):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.zeros(1))

    def forward(self, pixels):
        self.pixels = pixels
        raise StopIteration


def pixels_of_diffusers(image):
    """What StableVideoDiffusionPipeline shows its image encoder of a picture."""
    encoder = Encoder()
    pipeline = StableVideoDiffusionPipeline(None, encoder, None, None, CLIPImageProcessorPil())
    with pytest.raises(StopIteration):
        pipeline._encode_image(Image.fromarray(image), "cpu", 1, do_classifier_free_guidance=False)
    return encoder.pixels.numpy()


@pytest.mark.parametrize("size", [(100, 60), (224, 224), (576, 1024)], ids=str)
def test_the_pixels_are_those_that_the_pipeline_shows_to_clip(noise, size):
    """Resized and normalised, the picture is what diffusers' pipeline gives to its image encoder."""
    assert relative_l2(clip_pixels(noise(*size)), pixels_of_diffusers(noise(*size))) <= BOUND


def test_statistics_may_be_the_checkpoints(noise):
    """Mean and deviation are taken channel by channel, of values between 0 and 1."""
    unit = (resize_antialiased(noise(60, 80)) + 1) / 2
    got = clip_pixels(noise(60, 80), mean=(0.1, 0.2, 0.3), std=(1.0, 0.5, 0.25))
    for channel, (mean, std) in enumerate([(0.1, 1), (0.2, 0.5), (0.3, 0.25)]):
        assert np.abs(got[0, channel] - (unit[0, channel] - mean) / std).max() <= 1e-6


@pytest.mark.parametrize("length", [100, 224, 225, 1000, 4001])
def test_weights_keep_brightness_and_corners(length):
    """Each row of weights sums to one, and the ends stand over the ends."""
    weights = resizing_weights(length, 224)
    assert weights.shape == (224, length)
    assert np.abs(weights.sum(axis=1) - 1).max() <= 1e-12
    assert np.abs(weights - weights[::-1, ::-1]).max() <= 1e-3
    centre = weights @ np.arange(length) / (length - 1)
    assert np.abs(centre - np.linspace(0, 1, 224)).max() <= 4 / 224


def test_a_photo_takes_little_memory(noise):
    """Twelve megapixels, 36 MB of bytes, take no copy of themselves in fp32, which would be 144 MB."""
    photo = np.tile(noise(500, 500), (6, 8, 1))
    tracemalloc.start()
    try:
        clip_pixels(photo)
        assert tracemalloc.get_traced_memory()[1] < 80_000_000
    finally:
        tracemalloc.stop()
