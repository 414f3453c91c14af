"""Decoding noise: which generator, before or after de-normalising, with a decoder that shows what it was given."""

import contextlib

import numpy as np
import pytest
import torch
from vidrt.noise.torch_cpu import TorchCpuGenerator
from vidrt.pipelines.latents import pack
from vidrt.pipelines.ltx_video.decoding import stream_latents
from vidrt.pipelines.ltx_video.final_latents import final_latents
from vidrt.pipelines.ltx_video.request import Request
from vidrt.pipelines.ltx_video.settling import settle
from vidrt.pipelines.options import DenoisingStep
from vidrt_engines.names import Compat

SHAPE = (2, 2, 3, 2, 4)


class Decoder:
    """Keeps what it is given; its frames are grey."""

    def __init__(self, scales=()):
        self.calls, self.scales, self.is_held = [], scales, False

    def noise_shapes(self, rows, columns):
        return [(rows * scale, columns * scale) for scale in self.scales]

    @contextlib.contextmanager
    def held_for(self, frames):
        assert frames == SHAPE[2]
        self.is_held = True
        yield
        self.is_held = False

    def __call__(self, latents, timestep=None, noise=None):
        assert self.is_held
        self.calls.append((latents, timestep, noise))
        return np.zeros((1, 3, 17, 64, 128), np.float32)

    def stream(self, latents, timestep=None, noise=None):
        yield from np.split(self(latents, timestep, noise), [1, 9], axis=2)

    @property
    def latents(self):
        return np.concatenate([call[0] for call in self.calls])


@pytest.fixture
def latents():
    return np.random.default_rng(5).standard_normal(SHAPE, np.float32)


def decode(decoder, latents, settings, compat, *, version="0.9.1", part=0, height=64, seeds=(3, 4)):
    size = {"height": height, "width": 128, "num_frames": 17}
    run = settle(Request(prompt="", num_videos=2, compat=compat, **size), settings, version)
    grid = run.passes[part].grid(settings)
    generators = tuple(TorchCpuGenerator(seed) for seed in seeds)
    step = DenoisingStep(
        index=1, total=1, sigma=0.0, state=pack(latents), run=run, part=run.passes[part], grid=grid,
        generators=generators,
    )  # fmt: skip
    streamed = stream_latents(final_latents(step, decoder, settings, {}), decoder, settings)
    frames = [np.concatenate(list(parts)) for parts in streamed]
    for generator, seed in zip(generators, seeds, strict=True):  # the run's own streams stay as they are
        assert np.array_equal(generator.normal((20,)), TorchCpuGenerator(seed).normal((20,)))
    return frames


def denormalised(latents, settings):
    mean, std = (torch.tensor(v).reshape(1, -1, 1, 1, 1) for v in (settings.latents_mean, settings.latents_std))
    return latents * std / settings.scaling_factor + mean


def drawn(seed, *shapes):
    generator = torch.Generator().manual_seed(seed)
    return [torch.randn(shape, generator=generator) for shape in shapes]


def drawn_officially(seed, *maps):
    """Noise drawn as `randn_like` draws it for latents that are permuted tokens, and then maps."""
    generator = torch.Generator().manual_seed(seed)
    videos, channels, *grid = SHAPE
    noise = torch.empty(videos, *grid, channels).movedim(-1, 1).normal_(generator=generator)
    return [noise, *(torch.randn(shape, generator=generator) for shape in maps)]


def test_officially_noise_goes_onto_normalised_latents(latents, make_settings):
    """The official order: noise of the second generator on normalised latents by 0.025, then de-normalise."""
    settings, decoder = make_settings(timestep_conditioning=True, scaling_factor=0.9), Decoder()
    decode(decoder, latents, settings, "official")
    (noise,) = drawn_officially(4)
    expected = denormalised(torch.from_numpy(latents) * (1 - 0.025) + noise * 0.025, settings)
    assert np.abs(decoder.latents - expected.numpy()).max() <= 1e-5
    assert [call[1] for call in decoder.calls] == [0.05, 0.05]


def test_with_diffusers_noise_goes_onto_denormalised_latents(latents, make_settings):
    """The order of diffusers: de-normalise, then noise of the run's own generator by 0.025."""
    settings, decoder = make_settings(timestep_conditioning=True, scaling_factor=0.9), Decoder()
    decode(decoder, latents, settings, "diffusers")
    (noise,) = drawn(3, SHAPE)
    expected = (1 - 0.025) * denormalised(torch.from_numpy(latents), settings) + 0.025 * noise
    assert np.abs(decoder.latents - expected.numpy()).max() <= 1e-5
    assert [call[1] for call in decoder.calls] == [0.05, 0.05]


@pytest.mark.parametrize("compat", Compat)
def test_a_vae_without_a_timestep_gets_no_noise(latents, make_settings, compat):
    """Where the VAE is not conditioned there is no noise and no timestep, and no random number is drawn."""
    settings, decoder = make_settings(), Decoder()
    decode(decoder, latents, settings, compat, version="0.9.0")
    assert np.abs(decoder.latents - denormalised(torch.from_numpy(latents), settings).numpy()).max() <= 1e-6
    assert [call[1:] for call in decoder.calls] == [(None, ()), (None, ())]


@pytest.mark.parametrize("compat", Compat)
def test_injected_noise_comes_from_the_second_generator(latents, make_settings, compat):
    """Maps are drawn in their order from what stands for torch's global generator, after official decoding noise."""
    settings, decoder = make_settings(timestep_conditioning=True, injected_noise=(1, 1, 4)), Decoder((1, 1, 4))
    decode(decoder, latents, settings, compat)
    shapes = [(2, 4), (2, 4), (8, 16)]
    expected = drawn_officially(4, *shapes)[1:] if compat is Compat.OFFICIAL else drawn(4, *shapes)
    for _, _, maps in decoder.calls:
        assert [noise.shape for noise in maps] == shapes
        assert all(np.abs(a - b.numpy()).max() <= 1e-6 for a, b in zip(maps, expected, strict=True))


def test_videos_are_decoded_one_by_one(latents, make_settings):
    """Memory holds one video at a time; the decoder stays open for all and is let go at the end."""
    decoder = Decoder()
    frames = decode(decoder, latents, make_settings(), "official")
    assert [call[0].shape for call in decoder.calls] == [(1, *SHAPE[1:])] * 2
    assert [clip.shape for clip in frames] == [(17, 64, 128, 3)] * 2
    assert all((clip == 128).all() for clip in frames)
    assert not decoder.is_held


def test_noise_changes_what_is_decoded(latents, make_settings):
    """The two conventions differ, so that neither test above can pass for the other."""
    settings, official, diffusers = make_settings(timestep_conditioning=True), Decoder(), Decoder()
    decode(official, latents, settings, "official", seeds=(3, 3))
    decode(diffusers, latents, settings, "diffusers", seeds=(3, 3))
    assert np.abs(official.latents - diffusers.latents).max() > 1e-2


def test_tone_mapping_comes_after_noise_and_before_denormalising(latents, make_settings):
    """The second pass of 0.9.8-13b-distilled: noise, the official tone mapping by 0.6, de-normalise."""
    settings, decoder = make_settings(timestep_conditioning=True), Decoder()
    decode(decoder, latents, settings, "official", version="0.9.8-13b-distilled", part=1, height=96)
    noised = torch.from_numpy(latents) * (1 - 0.025) + drawn_officially(4)[0] * 0.025
    mapped = noised * (1 - 0.8 * 0.45 * torch.sigmoid(4 * 0.45 * (noised.abs() - 1)))
    assert np.abs(decoder.latents - denormalised(mapped, settings).numpy()).max() <= 1e-5


def test_a_second_pass_gives_the_size_that_was_asked_for(latents, make_settings):
    """What the second pass makes too large is resized; a preview keeps the first pass's size."""
    frames = decode(Decoder(), latents, make_settings(), "official", version="0.9.8-2b-distilled", part=1, height=96)
    assert [video.shape for video in frames] == [(17, 96, 128, 3)] * 2
