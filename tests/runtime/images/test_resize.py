"""Pictures brought to a video's size, against diffusers' processors."""

import numpy as np
import pytest
import torch
from diffusers.image_processor import VaeImageProcessor
from diffusers.video_processor import VideoProcessor
from PIL import Image
from vidrt.images.resize import ResizeMode, fit_image, signed

SIZES = [(64, 96), (97, 31), (300, 500), (1200, 100), (3, 2), (40, 64)]


def diffusers(image, height, width, **options):
    return VideoProcessor(do_resize=True, vae_scale_factor=8).preprocess(
        Image.fromarray(image), height=height, width=width, **options
    )


@pytest.mark.parametrize("target", [(40, 64), (64, 64), (256, 128)], ids=str)
@pytest.mark.parametrize("size", SIZES, ids=str)
def test_stretching_is_diffusers_to_the_bit(noise, size, target):
    """A stretched picture in [-1, 1] is what diffusers' processor makes of it."""
    got = signed(fit_image(noise(*size), *target, ResizeMode.STRETCH))
    assert got.dtype == np.float32
    assert got.flags.c_contiguous
    assert np.array_equal(got, diffusers(noise(*size), *target).numpy())


def test_every_level_is_diffusers_to_the_bit():
    """All 256 levels become diffusers' values between -1 and 1."""
    levels = np.repeat(np.arange(256, dtype=np.uint8).reshape(16, 16, 1), 3, axis=2)
    expected = torch.from_numpy(levels.astype(np.float32) / 255.0).permute(2, 0, 1)[None]
    got = signed(levels)
    assert np.array_equal(got, VaeImageProcessor.normalize(expected).numpy())
    assert (got.min(), got.max()) == (-1, 1)


@pytest.mark.parametrize("mode", ResizeMode)
@pytest.mark.parametrize("size", SIZES, ids=str)
def test_every_mode_gives_the_videos_size(noise, size, mode):
    """Whatever comes, the size that was asked for goes out, in memory of its own."""
    got = fit_image(noise(*size), 48, 80, mode)
    assert got.shape == (48, 80, 3)
    assert got.dtype == np.uint8
    assert got.flags.writeable


@pytest.mark.parametrize("mode", ResizeMode)
def test_a_picture_of_the_right_size_is_left_alone(noise, mode):
    """Nothing is filtered where nothing is resized."""
    assert np.array_equal(fit_image(noise(48, 80), 48, 80, mode), noise(48, 80))


@pytest.mark.parametrize("mode", ["crop", "pad"])
@pytest.mark.parametrize("size", [(96, 160), (24, 40), (480, 800)], ids=str)
def test_pictures_of_the_right_shape_are_only_scaled(noise, size, mode):
    """Where the shape is the video's the three modes are one."""
    stretched = fit_image(noise(*size), 48, 80, ResizeMode.STRETCH)
    assert np.array_equal(fit_image(noise(*size), 48, 80, ResizeMode(mode)), stretched)


@pytest.mark.parametrize(
    ("size", "target"), [((100, 200), (64, 64)), ((320, 64), (32, 64)), ((90, 30), (24, 24))], ids=str
)
def test_cropping_is_covering_and_cutting_the_middle(noise, size, target):
    """Where the covering size is whole, the crop is diffusers' own, which scales the whole picture and then cuts."""
    assert np.array_equal(
        signed(fit_image(noise(*size), *target, ResizeMode.CROP)),
        diffusers(noise(*size), *target, resize_mode="crop").numpy(),
    )


def test_what_is_cropped_is_what_hangs_over():
    """Of a wide picture the left and right quarters go, of a tall one top and bottom."""
    image = np.zeros((64, 128, 3), np.uint8)
    image[:, 32:96] = 200
    assert (fit_image(image, 64, 64, ResizeMode.CROP) == 200).all()
    assert (fit_image(image.transpose(1, 0, 2), 64, 64, ResizeMode.CROP) == 200).all()


@pytest.mark.parametrize(
    ("size", "inside"),
    [
        ((64, 128), np.s_[16:48, :]),
        ((128, 64), np.s_[:, 16:48]),
        ((128, 128), np.s_[:, :]),
        ((2, 5000), np.s_[31:32, :]),
    ],
    ids=str,
)
def test_padding_keeps_all_between_black_bars(size, inside):
    """The whole picture stands in the middle, a line of it at least, and all around is black."""
    got = fit_image(np.full((*size, 3), 200, np.uint8), 64, 64, ResizeMode.PAD)
    assert (got[inside] == 200).all()
    got[inside] = 0
    assert not got.any()


def test_padding_scales_the_whole_picture(noise):
    """Between the bars is the picture as diffusers would scale it."""
    got = fit_image(noise(100, 200), 64, 64, ResizeMode.PAD)[16:48]
    assert np.array_equal(signed(got), diffusers(noise(100, 200), 32, 64).numpy())


@pytest.mark.parametrize("size", [(2, 8000), (8000, 2)], ids=str)
def test_extreme_shapes_take_no_memory(noise, size):
    """What would cover the video is millions of pixels long and is never made: this would not come back."""
    assert fit_image(noise(*size), 576, 1024, ResizeMode.CROP).shape == (576, 1024, 3)
