"""Packing, statistics and bytes of latents and frames against diffusers."""

import numpy as np
import pytest
import torch
from diffusers import LTXPipeline
from diffusers.video_processor import VideoProcessor
from vidrt.pipelines.latents import denormalise, latent_grid, normalise, pack, to_bytes, unit_range, unpack


@pytest.fixture
def latents():
    return np.random.default_rng(0).standard_normal((2, 3, 4, 2, 5), np.float32)


def test_packing_is_diffusers(latents):
    """Tokens are in diffusers' order, to the bit, and lie in one piece."""
    packed = pack(latents)
    assert np.array_equal(packed, LTXPipeline._pack_latents(torch.from_numpy(latents)).numpy())
    assert packed.flags.c_contiguous
    assert packed.dtype == np.float32


def test_unpacking_is_diffusers_and_undoes_packing(latents, make_settings):
    """A grid comes back from its tokens, as diffusers unpacks them."""
    grid = latent_grid(make_settings(), 64, 160, 25)
    tokens = pack(latents)
    expected = LTXPipeline._unpack_latents(torch.from_numpy(tokens), grid.frames, grid.rows, grid.columns)
    assert np.array_equal(unpack(tokens, grid), expected.numpy())
    assert np.array_equal(unpack(tokens, grid), latents)


@pytest.mark.parametrize(
    ("height", "width", "frames", "grid"),
    [(512, 768, 97, (13, 16, 24)), (32, 32, 1, (1, 1, 1)), (64, 96, 9, (2, 2, 3))],
)
def test_a_grid_is_the_compressed_size(make_settings, height, width, frames, grid):
    """32 pixels and 8 frames for each latent, the first frame alone."""
    got = latent_grid(make_settings(), height, width, frames)
    assert (got.frames, got.rows, got.columns) == grid
    assert got.tokens == grid[0] * grid[1] * grid[2]


@pytest.mark.parametrize("factor", [1.0, 0.7])
def test_denormalising_is_diffusers(make_settings, factor):
    """Statistics are applied channel by channel as diffusers does, the scaling factor included."""
    settings = make_settings(scaling_factor=factor)
    latents = np.random.default_rng(1).standard_normal((2, 2, 3, 2, 2), np.float32)
    mean, std = (torch.tensor(values) for values in (settings.latents_mean, settings.latents_std))
    expected = LTXPipeline._denormalize_latents(torch.from_numpy(latents), mean, std, factor).numpy()
    got = denormalise(latents, settings)
    assert got.dtype == np.float32
    assert np.abs(got - expected).max() <= 1e-6


@pytest.mark.parametrize("factor", [1.0, 0.7])
def test_normalising_is_diffusers_and_undoes_denormalising(make_settings, factor):
    """Channel by channel as diffusers does it, and what came from the denoiser comes back."""
    settings = make_settings(scaling_factor=factor)
    latents = np.random.default_rng(1).standard_normal((2, 2, 3, 2, 2), np.float32)
    mean, std = (torch.tensor(values) for values in (settings.latents_mean, settings.latents_std))
    expected = LTXPipeline._normalize_latents(torch.from_numpy(latents), mean, std, factor).numpy()
    got = normalise(latents, settings)
    assert got.dtype == np.float32
    assert np.allclose(got, expected, rtol=1e-6, atol=1e-6)
    assert np.abs(normalise(denormalise(latents, settings), settings) - latents).max() <= 1e-5


def test_bytes_are_diffusers():
    """Frames become bytes as VideoProcessor makes them: every level, every half between two, and all beyond 0 and 1."""
    levels = np.arange(-20, 530, dtype=np.float32) / 255 - 1  # halves too
    drawn = np.random.default_rng(2).normal(0, 0.7, 3 * 6 * 8 * 10 - len(levels)).astype(np.float32)
    frames = np.concatenate([levels, drawn]).reshape(2, 3, 3, 8, 10)
    pictures = VideoProcessor(vae_scale_factor=32).postprocess_video(torch.from_numpy(frames), output_type="pil")
    expected = np.stack([[np.asarray(picture) for picture in video] for video in pictures])
    got = to_bytes(unit_range(frames))
    assert got.dtype == np.uint8
    assert got.shape == (2, 3, 8, 10, 3)
    assert np.array_equal(got, expected)
    assert {0, 1, 254, 255} <= set(np.unique(got))
