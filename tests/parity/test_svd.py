"""Whole videos from a picture against diffusers: the same checkpoint, seed and picture in fp32 on the CPU."""

import numpy as np
import pytest
import torch
from closeness import relative_l2
from PIL import Image
from vidrt import load_pipeline
from vidrt.images.resize import ResizeMode, fit_image

SMALL = {"height": 64, "width": 64, "num_frames": 3, "num_inference_steps": 2, "seed": 7}
LATENTS = 5e-5  # relative L2 of what is left after the last step; groups of two values are normed on the way
CASES = {
    "14 frames": {"num_frames": 14},
    "25 frames": {"num_frames": 25, "height": 32, "width": 32},
    "one frame": {"num_frames": 1, "min_guidance_scale": 2.0},
    "a wide video": {"width": 96, "num_inference_steps": 3},
    "sides that are odd in latents": {"height": 72, "width": 88},
    "no guidance": {"max_guidance_scale": 1.0},
    "guidance that falls": {"min_guidance_scale": 3.0, "max_guidance_scale": 1.5},
    "no augmentation": {"noise_aug_strength": 0.0, "num_inference_steps": 1},
    "strong augmentation": {"noise_aug_strength": 0.7},
    "neither guidance nor augmentation": {"max_guidance_scale": 1.0, "noise_aug_strength": 0.0},
    "much motion, at another rate": {"motion_bucket_id": 255, "fps": 24},
    "chunks": {"num_frames": 14, "decode_chunk_size": 4},
    "two videos": {"num_videos": 2},
    "chunks across two videos": {"num_videos": 2, "decode_chunk_size": 2},
}


@pytest.fixture(scope="module")
def oracle(svd_checkpoint):
    """A function of picture and request: diffusers' values, as it gives them."""
    import diffusers

    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # layers this small take twenty times as long where threads wait for each other

    pipeline = diffusers.StableVideoDiffusionPipeline.from_pretrained(svd_checkpoint)
    pipeline.set_progress_bar_config(disable=True)

    def run(image, *, seed, num_videos=1, **options):
        generator = torch.Generator().manual_seed(seed)
        return pipeline(image, generator=generator, num_videos_per_prompt=num_videos, **options).frames

    yield run
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def pipeline(svd_bundle):
    """The runtime's pipeline on the same weights."""
    with load_pipeline(svd_bundle, device="cpu", keep_loaded=True) as opened:
        yield opened


@pytest.fixture(scope="module")
def plain(pipeline, photo):
    """The frames of the request that changes nothing."""
    return run(pipeline, photo, **SMALL)[1]


def run(pipeline, image, **options):
    """Latents (B, F, C, h, w) and frames (B, F, H, W, 3)."""
    last = pipeline.denoised(image=image, **options)
    return last.latents, np.stack([video.frames for video in pipeline.decode(last)])


def to_bytes(values):
    """Diffusers' values between 0 and 1, (B, F, H, W, 3), times 255, rounded."""
    return (np.asarray(values) * 255).round().astype(np.uint8)


def difference(one, other):
    return int(np.abs(one.astype(int) - other).max())


@pytest.mark.parametrize("case", CASES)
def test_frames_are_diffusers(pipeline, oracle, photo, case):
    """Every value of every frame is within 1 of diffusers', and the picture is not of one colour."""
    options = {**SMALL, **CASES[case]}
    _, got = run(pipeline, photo, compat="diffusers", **options)
    wanted = to_bytes(oracle(photo, output_type="np", **options))
    assert got.shape == (options.get("num_videos", 1), options["num_frames"], options["height"], options["width"], 3)
    assert got.shape == wanted.shape
    assert difference(got, wanted) <= 1
    assert got.std() > 10


@pytest.mark.parametrize("case", ["a wide video", "two videos", "no guidance"])
def test_latents_are_diffusers(pipeline, oracle, photo, case):
    """What is left after the last step is diffusers' before it decodes."""
    options = {**SMALL, **CASES[case]}
    got, _ = run(pipeline, photo, compat="diffusers", **options)
    wanted = oracle(photo, output_type="latent", **options)
    assert relative_l2(torch.from_numpy(got), wanted) <= LATENTS


@pytest.mark.parametrize("mode", ResizeMode)
def test_official_frames_are_diffusers_of_the_fitted_picture(pipeline, oracle, photo, mode):
    """By the official convention CLIP sees what the video begins with: diffusers' frames of the picture so fitted."""
    options = {**SMALL, "width": 96}
    fitted = fit_image(np.asarray(photo), 64, 96, mode)
    _, got = run(pipeline, photo, resize_mode=mode, **options)
    assert difference(got, to_bytes(oracle(Image.fromarray(fitted), output_type="np", **options))) <= 1


def test_each_convention_and_mode_is_another_video(pipeline, photo, plain):
    """Crop is the official default and stretch diffusers'; what CLIP sees and how the picture fits both count."""
    official = {mode: run(pipeline, photo, resize_mode=mode, **SMALL)[1] for mode in ResizeMode}
    diffusers = {mode: run(pipeline, photo, compat="diffusers", resize_mode=mode, **SMALL)[1] for mode in ResizeMode}
    assert np.array_equal(plain, official[ResizeMode.CROP])
    assert np.array_equal(run(pipeline, photo, compat="diffusers", **SMALL)[1], diffusers[ResizeMode.STRETCH])
    videos = [*official.values(), *diffusers.values()]
    assert all(difference(one, other) > 1 for i, one in enumerate(videos) for other in videos[:i])


@pytest.mark.parametrize(
    "change",
    [
        {"seed": 8}, {"motion_bucket_id": 20}, {"fps": 20}, {"noise_aug_strength": 0.3}, {"max_guidance_scale": 4.0},
        {"min_guidance_scale": 1.5}, {"num_inference_steps": 3}, {"decode_chunk_size": 1},
    ],
    ids=str,
)  # fmt: skip
def test_every_option_counts(pipeline, photo, plain, change):
    """Agreement is no accident: each option changes the frames by more than the bar."""
    assert difference(plain, run(pipeline, photo, **{**SMALL, **change})[1]) > 1


def test_the_picture_counts(pipeline, photo, plain):
    """Another picture is another video."""
    assert difference(plain, run(pipeline, photo.rotate(180), **SMALL)[1]) > 50
