"""Requests for Stable Video Diffusion: what is filled in, what is taken, what is refused."""

import dataclasses
import re

import numpy as np
import pytest
from vidrt.errors import RequestError
from vidrt.images.resize import ResizeMode
from vidrt.pipelines.svd.request import SvdRequest, settle_svd
from vidrt_engines.svd_settings import SvdDefaults

NAN, INF = float("nan"), float("inf")


@pytest.fixture
def run(svd_settings):
    def make(settings=svd_settings, **options):
        return settle_svd(SvdRequest(**{"image": "photo.jpg", **options}), settings)

    return make


def test_what_is_not_asked_is_the_facts(run):
    """The published defaults: 25 steps of 14 frames at 576 × 1024, bucket 127, augmentation 0.02, guidance 1 to 3."""
    got = run()
    assert (got.height, got.width, got.num_frames, got.fps) == (576, 1024, 14, 7)
    assert (got.num_inference_steps, got.num_videos, got.motion_bucket_id, got.noise_aug_strength) == (25, 1, 127, 0.02)
    assert (got.min_guidance_scale, got.max_guidance_scale, got.decode_chunk_size) == (1, 3, None)
    assert (got.resize_mode, got.compat, got.generator) == ("crop", "official", "cpu")
    assert not got.clip_sees_whole
    assert not got.chunks_mix_videos


def test_the_bundle_has_defaults_of_its_own(run, svd_settings):
    """Size, length, rate and steps come from the bundle."""
    defaults = SvdDefaults(height=64, width=128, num_frames=25, fps=6.5, num_inference_steps=30)
    got = run(dataclasses.replace(svd_settings, defaults=defaults))
    assert dataclasses.asdict(defaults).items() <= dataclasses.asdict(got).items()


def test_what_is_asked_is_taken(run):
    """Every option of a request reaches the run as it was asked, at the ends of its range."""
    asked = {
        "height": 8, "width": 16, "num_frames": 1, "fps": 1.0, "num_videos": 2, "num_inference_steps": 1,
        "motion_bucket_id": 0, "noise_aug_strength": 0.0, "min_guidance_scale": 0.0, "max_guidance_scale": 0.5,
        "decode_chunk_size": 1, "resize_mode": "pad", "seed": 2**64 - 1, "compat": "diffusers",
    }  # fmt: skip
    got = run(**asked)
    assert {name: getattr(got, name) for name in asked} == asked
    assert run(motion_bucket_id=255).motion_bucket_id == 255


def test_the_convention_says_how_pictures_fit(run):
    """Diffusers stretches and shows CLIP the whole, also where another mode is asked for."""
    assert run(compat="diffusers").resize_mode is ResizeMode.STRETCH
    assert run(compat="diffusers", resize_mode="crop").resize_mode is ResizeMode.CROP
    assert run(compat="diffusers", resize_mode="crop").clip_sees_whole
    assert run(resize_mode=ResizeMode.STRETCH).resize_mode is ResizeMode.STRETCH


def test_a_seed_is_drawn_where_none_is_asked(run):
    """Without a seed, each run has its own."""
    assert len({run().seed for _ in range(20)}) > 15


@pytest.mark.parametrize(
    "name", ["height", "num_frames", "num_videos", "num_inference_steps", "motion_bucket_id", "seed"]
)
def test_numbers_of_numpy_are_numbers(run, name):
    """A whole number that comes as numpy's is taken like any other, and becomes Python's."""
    got = getattr(run(**{name: np.int64(8)}), name)
    assert (got, type(got)) == (8, int)
    assert type(run(fps=np.float32(8)).fps) is float


BAD = [
    ({"image": None}, "An image is needed: Stable Video Diffusion makes a video from a picture."),
    ({"height": 100}, "The height should be divisible by 8, and 100 is not: take 96 or 104."),
    ({"width": 1023}, "The width should be divisible by 8, and 1023 is not: take 1016 or 1024."),
    ({"width": 7}, "The width should be divisible by 8, and 7 is not: take 8."),
    ({"height": 0}, "The height should be a whole number from 1 up, not 0."),
    ({"width": -8}, "The width should be a whole number from 1 up, not -8."),
    ({"height": 64.0}, "The height should be a whole number from 1 up, not 64.0."),
    ({"width": True}, "The width should be a whole number from 1 up, not True."),
    ({"width": NAN}, "The width should be a whole number from 1 up, not nan."),
    ({"num_frames": 0}, "The number of frames should be a whole number from 1 up, not 0."),
    ({"num_frames": -14}, "The number of frames should be a whole number from 1 up, not -14."),
    ({"num_frames": "14"}, "The number of frames should be a whole number from 1 up, not 14."),
    ({"fps": 0}, "The number of frames per second should be a number from 1 up, not 0."),
    ({"fps": 0.5}, "The number of frames per second should be a number from 1 up, not 0.5."),
    ({"fps": -7}, "The number of frames per second should be a number from 1 up, not -7."),
    ({"fps": NAN}, "The number of frames per second should be a number from 1 up, not nan."),
    ({"fps": INF}, "The number of frames per second should be a number from 1 up, not inf."),
    ({"fps": 10**400}, "The number of frames per second should be a number from 1 up, not 1000"),
    ({"num_videos": 0}, "The number of videos should be a whole number from 1 up, not 0."),
    ({"num_inference_steps": 0}, "The number of steps should be a whole number from 1 up, not 0."),
    ({"num_inference_steps": -1}, "The number of steps should be a whole number from 1 up, not -1."),
    ({"motion_bucket_id": -1}, "The motion bucket should be a whole number from 0 to 255, not -1."),
    ({"motion_bucket_id": 256}, "The motion bucket should be a whole number from 0 to 255, not 256."),
    ({"motion_bucket_id": 12.5}, "The motion bucket should be a whole number from 0 to 255, not 12.5."),
    ({"motion_bucket_id": NAN}, "The motion bucket should be a whole number from 0 to 255, not nan."),
    ({"noise_aug_strength": -0.1}, "The strength of the noise augmentation should be a number from 0 up, not -0.1."),
    ({"noise_aug_strength": NAN}, "The strength of the noise augmentation should be a number from 0 up, not nan."),
    ({"noise_aug_strength": "much"}, "The strength of the noise augmentation should be a number from 0 up, not much."),
    ({"noise_aug_strength": False}, "The strength of the noise augmentation should be a number from 0 up, not False."),
    ({"min_guidance_scale": -1}, "The guidance scale of the first frame should be a number from 0 up, not -1."),
    ({"min_guidance_scale": INF}, "The guidance scale of the first frame should be a number from 0 up, not inf."),
    ({"max_guidance_scale": NAN}, "The guidance scale of the last frame should be a number from 0 up, not nan."),
    ({"max_guidance_scale": -0.5}, "The guidance scale of the last frame should be a number from 0 up, not -0.5."),
    ({"decode_chunk_size": 0}, "The number of frames decoded at once should be a whole number from 1 up, not 0."),
    ({"decode_chunk_size": -2}, "The number of frames decoded at once should be a whole number from 1 up, not -2."),
    ({"resize_mode": "fit"}, "The resize mode should be one of crop, stretch, pad, not 'fit'."),
    ({"resize_mode": 3}, "The resize mode should be one of crop, stretch, pad, not 3."),
    ({"seed": -1}, "The seed should be a whole number from 0 to 2**64 - 1, not -1."),
    ({"seed": 2**64}, "The seed should be a whole number from 0 to 2**64 - 1, not 18446744073709551616."),
    ({"seed": "x"}, "The seed should be a whole number from 0 to 2**64 - 1, not x."),
    ({"compat": "comfy"}, "compat should be one of official, diffusers, not 'comfy'."),
    ({"generator": "cuda"}, "The generator"),
]


@pytest.mark.parametrize(("options", "told"), BAD, ids=lambda value: str(value)[:60])
def test_what_cannot_be_right_is_refused(run, options, told, sentence):
    """Every bad value is one sentence: what was expected, what came, and the nearest that would do."""
    with pytest.raises(RequestError) as error:
        run(**options)
    assert sentence(error).startswith(told)


def test_a_bundle_may_want_larger_steps(run, svd_settings):
    """The side's step and the defaults are the bundle's, and are checked as what is asked for."""
    settings = dataclasses.replace(svd_settings, size_step=64, defaults=SvdDefaults(height=72))
    with pytest.raises(RequestError, match=re.escape("divisible by 64, and 72 is not: take 64 or 128.")):
        run(settings)
