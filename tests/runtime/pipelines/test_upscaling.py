"""What stands between two passes, against diffusers and torch."""

from contextlib import nullcontext

import numpy as np
import pytest
import torch
from diffusers import FlowMatchEulerDiscreteScheduler, LTXPipeline
from diffusers import LTXLatentUpsamplePipeline as Pipeline
from vidrt.errors import RequestError
from vidrt.pipelines.ltx_video.upscaling import adain, first_pass_size, renoised, resized_frames, tone_mapped, upscaled


@pytest.fixture
def latents():
    return np.random.default_rng(0).normal(0.3, 2, (2, 3, 4, 6, 8)).astype(np.float32)


@pytest.fixture
def reference():
    return np.random.default_rng(1).normal(-0.6, 0.8, (2, 3, 4, 3, 4)).astype(np.float32)


@pytest.mark.parametrize(
    ("size", "first"),
    [
        ((704, 1216), (448, 800)), ((512, 768), (320, 480)), ((64, 64), (32, 32)), ((96, 96), (32, 32)),
        ((480, 704), (288, 448)), ((1088, 1920), (704, 1248)), ((64, 2048), (32, 1344)), ((192, 384), (96, 224)),
    ],
)  # fmt: skip
def test_the_first_pass_is_two_thirds_in_whole_latents(size, first):
    """Whole latents of a little less than two thirds: of 768 pixels 511.99995, so 480, as officially."""
    assert first_pass_size(*size, 32) == first


@pytest.mark.parametrize("size", [(32, 64), (64, 32), (32, 32)])
def test_a_size_of_which_nothing_is_left_is_refused(size):
    """A first pass without rows or columns is refused, and the sentence says what there should be."""
    with pytest.raises(RequestError, match=f"should be 64 or more, not {size[0]}x{size[1]}"):
        first_pass_size(*size, 32)


@pytest.mark.parametrize("factor", [1.0, 0.4, 0.0])
def test_statistics_of_channels_are_taken_over_as_diffusers_does(latents, reference, factor):
    """Each channel of each video has the reference's mean and deviation, or is on its way there."""
    tensors = torch.from_numpy(latents), torch.from_numpy(reference)
    got = adain(latents, reference, factor)
    assert got.dtype == np.float32
    assert np.allclose(got, Pipeline.adain_filter_latent(None, *tensors, factor), rtol=1e-5, atol=2e-6)


def test_latents_without_a_deviation_are_no_numbers_of_none(reference):
    """Where a channel is the same everywhere, or the reference has one latent, the mean is all that is taken over."""
    flat = np.full((2, 3, 1, 2, 2), 5, np.float32)
    means = reference.mean((2, 3, 4), keepdims=True)
    assert np.allclose(adain(flat, reference), np.broadcast_to(means, flat.shape), atol=1e-6)
    single = reference[:, :, :1, :1, :1]
    varied = np.random.default_rng(2).standard_normal(flat.shape, np.float32)
    assert np.allclose(adain(varied, single), np.broadcast_to(single, flat.shape), atol=1e-6)


@pytest.mark.parametrize("compression", [0.0, 0.6, 1.0])
def test_large_latents_are_brought_back_as_diffusers_does(latents, compression):
    """The curve is diffusers', to the largest latents; without compression nothing changes by a bit."""
    wide = latents * 20
    expected = Pipeline.tone_map_latents(None, torch.from_numpy(wide), compression)
    got = tone_mapped(wide, compression)
    assert got.dtype == np.float32
    assert np.allclose(got, expected, rtol=1e-6, atol=1e-6)
    assert np.array_equal(got, wide) is (compression == 0)


def test_noise_comes_back_in_its_share(latents):
    """A noise level of noise, the rest of latents: as diffusers' scheduler does it."""
    noise = np.random.default_rng(3).standard_normal(latents.shape, np.float32)
    sigma = np.float32(0.9094)
    scheduler = FlowMatchEulerDiscreteScheduler()
    scheduler.set_timesteps(sigmas=[float(sigma), 0.5])
    wanted = scheduler.scale_noise(
        torch.from_numpy(latents), scheduler.timesteps[:1].repeat(2), torch.from_numpy(noise)
    )
    got = renoised(latents, sigma, noise)
    assert got.dtype == np.float32
    assert np.allclose(got, wanted, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("size", [(7, 11), (30, 50), (15, 40), (31, 20), (1, 1), (10, 20)])
def test_frames_are_resized_as_torch_does_it(size):
    """Larger, smaller, by fractions and not at all: `interpolate`, bilinear, without corners and smoothing."""
    frames = np.random.default_rng(4).random((2, 3, 4, 10, 20), np.float32)
    flat = torch.from_numpy(frames).flatten(0, 2)[:, None]
    wanted = torch.nn.functional.interpolate(flat, size=size, mode="bilinear", align_corners=False)
    got = resized_frames(frames, *size)
    assert got.dtype == np.float32
    assert got.shape == (2, 3, 4, *size)
    assert np.abs(got - wanted.numpy().reshape(got.shape)).max() <= 2e-6


def test_large_frames_are_resized_as_torch_does_it():
    """From the sizes of the second pass to those that were asked for, where centres have many digits."""
    frames = np.random.default_rng(5).random((1, 1, 1, 896, 1600), np.float32)
    wanted = torch.nn.functional.interpolate(
        torch.from_numpy(frames[:, 0]), size=(704, 1216), mode="bilinear", align_corners=False
    )
    assert np.abs(resized_frames(frames, 704, 1216)[:, 0] - wanted.numpy()).max() <= 2e-4


class Doubling:
    """An upsampler that repeats what it is given, and counts."""

    def __init__(self):
        self.given = []

    def held(self):
        return nullcontext()

    def __call__(self, latents):
        self.given.append(latents)
        return latents.repeat(2, axis=3).repeat(2, axis=4)


def test_the_upsampler_sees_latents_of_one_video_with_their_statistics(make_settings):
    """It is given what the VAE's decoder would be, one video after the other; what comes back is normalised again."""
    settings = make_settings(scaling_factor=0.7)
    latents = np.random.default_rng(6).standard_normal((2, 2, 3, 2, 4), np.float32)
    mean, std = (torch.tensor(values) for values in (settings.latents_mean, settings.latents_std))
    wanted = LTXPipeline._denormalize_latents(torch.from_numpy(latents), mean, std, 0.7).numpy()
    upsampler = Doubling()
    got = upscaled(latents, upsampler, settings)
    assert [item.shape for item in upsampler.given] == [(1, 2, 3, 2, 4)] * 2
    assert np.abs(np.concatenate(upsampler.given) - wanted).max() <= 1e-6
    assert np.abs(got - latents.repeat(2, axis=3).repeat(2, axis=4)).max() <= 1e-5
