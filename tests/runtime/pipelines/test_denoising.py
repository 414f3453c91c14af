"""First noise and denoising steps, with a transformer that shows what it was given."""

import dataclasses

import numpy as np
import pytest
import torch
from vidrt.conditioning.start import Place, plain_start
from vidrt.noise.torch_cpu import TorchCpuGenerator
from vidrt.pipelines.latents import latent_grid
from vidrt.pipelines.ltx_video.denoising import Denoiser, first_noise
from vidrt.pipelines.ltx_video.prompts import Contexts
from vidrt.pipelines.ltx_video.request import Request
from vidrt.pipelines.ltx_video.rope import rope_tables, token_coordinates
from vidrt.pipelines.ltx_video.settling import settle
from vidrt_engines.versions import Guidance

SIZE = {"height": 64, "width": 96, "num_frames": 9}
POSITIVE, NEGATIVE = np.full((1, 4, 3), 2, np.float32), np.full((1, 2, 3), 5, np.float32)
BOTH = Contexts(positive=POSITIVE, negative=NEGATIVE)


class Transformer:
    """Its velocity is the mean of the context, everywhere."""

    def __init__(self):
        self.calls, self.perturbations = [], []

    layers = 28

    def __call__(self, latents, context, timestep, rope_cos, rope_sin, perturbation=None):
        self.calls.append((context, timestep, rope_cos, rope_sin))
        self.perturbations.append(perturbation)
        return np.full_like(latents, context.mean())


@pytest.fixture
def make_run(make_settings):
    def make(guidance=None, *, version="0.9.5", **options):
        run = settle(Request(prompt="", **SIZE, **{"stg_scale": 0.0, **options}), make_settings(), version)
        if guidance is None:
            return run
        return dataclasses.replace(run, conventions=dataclasses.replace(run.conventions, guidance=guidance))

    return make


@pytest.fixture
def grid(make_settings):
    return latent_grid(make_settings(), **SIZE)


@pytest.mark.parametrize("videos", [1, 2])
def test_official_noise_is_drawn_by_token(make_run, grid, videos):
    """Officially a seed's first latents are torch's numbers in the shape (B, tokens, C)."""
    got = first_noise(make_run(num_videos=videos), grid, 2, TorchCpuGenerator(3))
    expected = torch.randn((videos, grid.tokens, 2), generator=torch.Generator().manual_seed(3))
    assert got.shape == expected.shape
    assert np.abs(got - expected.numpy()).max() <= 1e-6


@pytest.mark.parametrize("videos", [1, 2])
def test_diffusers_noise_is_drawn_by_channel(make_run, grid, videos):
    """With diffusers they are drawn as (B, C, F, H, W) and packed as diffusers packs them."""
    from diffusers import LTXPipeline

    got = first_noise(make_run(compat="diffusers", num_videos=videos), grid, 2, TorchCpuGenerator(3))
    shape = (videos, 2, grid.frames, grid.rows, grid.columns)
    expected = LTXPipeline._pack_latents(torch.randn(shape, generator=torch.Generator().manual_seed(3)))
    assert got.shape == expected.shape
    assert np.abs(got - expected.numpy()).max() <= 1e-6


@pytest.fixture
def denoiser(make_run, grid):
    def make(guidance=None, contexts=BOTH, **options):
        transformer, run = Transformer(), make_run(guidance, **options)
        place = Place(grid=grid, fps=run.fps, rope_time=run.conventions.rope_time)
        start = plain_start(np.zeros((run.num_videos, 2, grid.frames, grid.rows, grid.columns), np.float32), place)
        return transformer, Denoiser(transformer, run.conventions, run.conventions.guidance, start, 32, contexts)

    return make


def latents_of(grid, videos=1):
    return np.zeros((videos, grid.tokens, 2), np.float32)


@pytest.mark.parametrize("sigma", [1.0, 0.9937, 0.4219, 0.00051])
def test_the_timestep_is_a_thousand_sigmas(denoiser, grid, sigma):
    """The model gets 1000 sigma as a float, neither truncated nor rounded, one for each video."""
    transformer, made = denoiser(num_videos=2)
    made.velocity(latents_of(grid, 2), np.float32(sigma))
    for _, timestep, _, _ in transformer.calls:
        assert timestep.dtype == np.float32
        assert timestep.tolist() == [[float(np.float32(sigma) * np.float32(1000))]] * 2


def test_the_tables_are_those_of_the_grid(denoiser, grid, make_run):
    """Every evaluation gets the rotary tables of the run's grid and frame rate."""
    transformer, made = denoiser(fps=10.0)
    made.velocity(latents_of(grid), np.float32(1))
    wanted = rope_tables(token_coordinates(grid, 10.0, make_run().conventions.rope_time), 32)
    for call in transformer.calls:
        assert all(np.array_equal(got, table) for got, table in zip(call[2:], wanted, strict=True))


def test_guidance_takes_two_evaluations(denoiser, grid):
    """With a scale of 3 the velocity goes from the negative prompt's through the prompt's: 5 + 3 (2 - 5)."""
    transformer, made = denoiser(Guidance(scales=(3.0,)))
    assert (made.velocity(latents_of(grid), np.float32(1)) == -4).all()
    assert sorted(call[0].shape for call in transformer.calls) == [NEGATIVE.shape, POSITIVE.shape]


@pytest.mark.parametrize("scale", [1.0, 0.5, 0.0])
def test_without_guidance_one_evaluation_is_enough(denoiser, grid, scale):
    """A scale of 1 or less is no guidance: the prompt alone is evaluated."""
    transformer, made = denoiser(Guidance(scales=(scale,)))
    assert (made.velocity(latents_of(grid), np.float32(1)) == 2).all()
    assert [call[0].shape for call in transformer.calls] == [POSITIVE.shape]


def test_guidance_follows_its_timesteps(denoiser, grid):
    """Guidance by timestep is looked up at each step's sigma."""
    transformer, made = denoiser(Guidance(timesteps=(1.0, 0.5), scales=(1.0, 2.0)))
    assert (made.velocity(latents_of(grid), np.float32(1)) == 2).all()
    assert len(transformer.calls) == 1
    assert (made.velocity(latents_of(grid), np.float32(0.7)) == -1).all()
    assert len(transformer.calls) == 3


def test_every_video_gets_the_prompt(denoiser, grid):
    """Contexts are repeated for the videos of a batch."""
    transformer, made = denoiser(num_videos=3)
    made.velocity(latents_of(grid, 3), np.float32(1))
    assert {call[0].shape for call in transformer.calls} == {(3, 4, 3), (3, 2, 3)}


def test_a_step_follows_the_velocity(denoiser, grid):
    """A plain step moves by the difference of the noise levels and draws nothing."""
    _, made = denoiser(Guidance(scales=(1.0,)))
    generator = TorchCpuGenerator(4)
    got = made.step(latents_of(grid), np.float32(0.75), np.float32(0.25), (generator, generator))
    assert (got == -1).all()
    assert np.array_equal(generator.normal((20,)), TorchCpuGenerator(4).normal((20,)))


def test_a_stochastic_step_draws_from_the_generator_that_stands_for_the_global_one(denoiser, grid):
    """A stochastic step goes to the clean latents and back with fresh noise of the next level."""
    _, made = denoiser(Guidance(scales=(1.0,)), version="0.9.6-distilled")
    got = made.step(latents_of(grid), np.float32(0.75), np.float32(0.25), (None, TorchCpuGenerator(4)))
    noise = torch.randn((1, grid.tokens, 2), generator=torch.Generator().manual_seed(4))
    assert np.abs(got - (0.75 * (0 - 0.75 * 2) + 0.25 * noise.numpy())).max() <= 1e-6
