"""All that the networks of Stable Video Diffusion are given, and whole runs, against diffusers' pipeline."""

import numpy as np
import pytest
import torch
from svd_stubs import Oracle, decoded, encoded, velocity_of
from vidrt.images.clip import clip_pixels
from vidrt.images.resize import ResizeMode, fit_image, signed
from vidrt.noise.torch_cpu import TorchCpuGenerator
from vidrt.pipelines.svd.conditioning import (
    added_time_ids,
    augmented,
    draw_noise,
    image_embeddings,
    image_latents,
    prepare_pictures,
    unet_sample,
)
from vidrt.pipelines.svd.frames import decode_chunks, decoder_latents, frames_to_bytes
from vidrt.pipelines.svd.guidance import frame_guidance, guidance_scales, is_guided
from vidrt.pipelines.svd.request import SvdRequest, settle_svd
from vidrt.schedulers.euler_karras import euler_step, karras_table

BOUND = 1e-6
CANCELLED = 2e-5  # a long step down from 700 leaves values near 1 with the rounding of 700
SEED = 5
RUNS = [
    {"height": 64, "width": 96, "num_frames": 14, "num_inference_steps": 4},
    {"height": 40, "width": 24, "num_frames": 25, "num_inference_steps": 3, "max_guidance_scale": 1.0},
    {"height": 24, "width": 40, "num_frames": 3, "num_inference_steps": 5, "num_videos": 2, "noise_aug_strength": 0.0},
    {"height": 56, "width": 72, "num_frames": 5, "num_inference_steps": 2, "decode_chunk_size": 2, "fps": 12,
     "motion_bucket_id": 200, "noise_aug_strength": 0.3, "min_guidance_scale": 2.5, "max_guidance_scale": 1.5},
    {"height": 16, "width": 16, "num_frames": 5, "num_inference_steps": 1, "decode_chunk_size": 3, "num_videos": 2},
    {"height": 8, "width": 8, "num_frames": 2, "num_inference_steps": 1, "min_guidance_scale": 0, "num_videos": 3},
]  # fmt: skip


def relative_l2(got, expected):
    got, expected = np.asarray(got, np.float64), np.asarray(expected, np.float64)
    assert got.shape == expected.shape
    assert np.isfinite(got).all()
    return np.linalg.norm(got - expected) / np.linalg.norm(expected)


def settled(image, settings, **options):
    return settle_svd(SvdRequest(image=image, seed=SEED, compat="diffusers", **options), settings)


def velocity(sample, timestep, embeds, ids):
    tensors = (torch.from_numpy(values) for values in (sample, embeds, ids))
    sample, embeds, ids = tensors
    return velocity_of(sample, torch.tensor(timestep), embeds, ids).numpy()


def denoise(image, run, settings, given):
    """A run of our functions around the stubs' mathematics; `given` gets what each network is given."""
    pictures = prepare_pictures(image, run, settings)
    noise = draw_noise(TorchCpuGenerator(run.seed), run, settings)
    table = karras_table(run.num_inference_steps)
    scales = guidance_scales(run.min_guidance_scale, run.max_guidance_scale, run.num_frames)
    guided = is_guided(scales)
    given["pixels"], given["picture"] = pictures.clip, augmented(pictures.vae, noise.image, run.noise_aug_strength)
    embeds = image_embeddings(pictures.clip[:, :, 0, :2].reshape(1, -1), run.num_videos, guided=guided)
    mode = encoded(torch.from_numpy(given["picture"])).numpy()
    picture = image_latents(mode, run.num_videos, run.num_frames, guided=guided)
    ids, latents = added_time_ids(run, guided=guided), noise.latents * table.first_scale
    for index, timestep in enumerate(table.timesteps):
        sample = unet_sample(latents, table.sigmas[index], picture)
        given.setdefault("unet", []).append((sample, timestep, embeds, ids))
        predicted = velocity(sample, timestep, embeds, ids)
        if guided:
            without, with_picture = np.split(predicted, 2)
            predicted = frame_guidance(with_picture, without, scales)
        latents = euler_step(latents, predicted, *table.sigmas[index : index + 2])
    return latents


def frames_of(latents, run):
    """Frames as bytes, decoded by the stub in chunks."""
    flat = decoder_latents(latents, 0.18215)
    mixes = run.chunks_mix_videos
    chunks = decode_chunks(run.num_videos, run.num_frames, run.decode_chunk_size, mixes_videos=mixes)
    frames = np.concatenate([decoded(torch.from_numpy(flat[chunk])).numpy() for chunk in chunks])
    return frames_to_bytes(frames, run.num_videos)


@pytest.fixture
def image():
    return np.random.default_rng(0).integers(0, 256, (90, 130, 3), np.uint8)


@pytest.mark.parametrize("options", RUNS, ids=str)
def test_the_networks_are_given_what_diffusers_gives_them(image, svd_settings, options):
    """CLIP's pixels, the VAE's picture, and at every step the UNet's sample, timestep, embeddings and time ids."""
    oracle, given = Oracle(), {}
    expected = oracle.run(image, seed=SEED, output_type="latent", **options)
    latents = denoise(image, settled(image, svd_settings, **options), svd_settings, given)
    assert relative_l2(given["pixels"], oracle.encoder.calls[0]) <= BOUND
    assert relative_l2(given["picture"], oracle.vae.calls[0]) <= BOUND
    assert len(given["unet"]) == len(oracle.unet.calls) == options["num_inference_steps"]
    for index, (ours, theirs) in enumerate(zip(given["unet"], oracle.unet.calls, strict=True)):
        for got, wanted in zip(ours, theirs, strict=True):
            assert got.dtype == np.float32
            assert relative_l2(got, wanted) <= (CANCELLED if index else BOUND)
    assert relative_l2(latents, expected) <= CANCELLED


@pytest.mark.parametrize("options", RUNS, ids=str)
def test_frames_are_diffusers(image, svd_settings, options):
    """From the same picture and seed, a run's frames are diffusers' within 1 of 255, whatever the chunks."""
    run = settled(image, svd_settings, **options)
    frames = frames_of(denoise(image, run, svd_settings, {}), run)
    expected = (Oracle().run(image, seed=SEED, output_type="np", **options) * 255).round().astype(np.uint8)
    assert frames.dtype == np.uint8
    assert frames.shape == expected.shape
    assert np.abs(frames.astype(int) - expected).max() <= 1
    assert 20 < np.std(frames) < 120


def test_the_two_halves_share_their_numbers_alone(svd_settings, image):
    """The first half of a guided batch has no embedding and no picture, and the same time ids."""
    run = settled(image, svd_settings, num_videos=2, num_frames=3)
    embeds = image_embeddings(np.ones((1, 6), np.float32), 2, guided=True)
    latents = image_latents(np.ones((1, 4, 2, 2), np.float32), 2, 3, guided=True)
    assert (embeds.shape, latents.shape) == ((4, 1, 6), (4, 3, 4, 2, 2))
    for values in (embeds, latents):
        assert not values[:2].any()
        assert (values[2:] == 1).all()
    assert added_time_ids(run, guided=True).tolist() == [[6, 127, np.float32(0.02)]] * 4
    assert added_time_ids(run, guided=False).tolist() == [[6, 127, np.float32(0.02)]] * 2


def test_the_pictures_noise_is_drawn_first_and_once(svd_settings, image):
    """The stream gives (1, 3, H, W), then (B, F, C, H / 8, W / 8), as torch would give them."""
    run = settled(image, svd_settings, height=16, width=24, num_frames=3, num_videos=2)
    noise = draw_noise(TorchCpuGenerator(SEED), run, svd_settings)
    generator = torch.Generator().manual_seed(SEED)
    for got, shape in ((noise.image, (1, 3, 16, 24)), (noise.latents, (2, 3, 4, 2, 3))):
        assert np.abs(got - torch.randn(shape, generator=generator).numpy()).max() <= 1e-6


def test_clip_sees_the_crop_or_the_whole(svd_settings, image):
    """By default CLIP sees what the video begins with; with diffusers' conventions all of the picture, stretched."""
    for compat, mode in (("official", ResizeMode.CROP), ("diffusers", ResizeMode.STRETCH)):
        run = settle_svd(SvdRequest(image=image, height=64, width=64, compat=compat), svd_settings)
        pictures, fitted = prepare_pictures(image, run, svd_settings), fit_image(image, 64, 64, mode)
        assert np.array_equal(pictures.vae, signed(fitted))
        assert np.array_equal(pictures.clip, clip_pixels(image if compat == "diffusers" else fitted))


def test_nothing_that_is_given_is_changed():
    """Each part is a pure function."""
    latents, mode = np.ones((1, 2, 4, 1, 1), np.float32), np.ones((1, 4, 1, 1), np.float32)
    sample = unet_sample(latents, np.float32(3), image_latents(mode, 1, 2, guided=True))
    sample[:] = 7
    augmented(latents, latents, 0.5)
    assert (latents == 1).all()
    assert (mode == 1).all()
