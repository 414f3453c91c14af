"""Stable Video Diffusion as a library."""

import numpy as np
import pytest
from vidrt import load_pipeline
from vidrt.errors import RequestError
from vidrt_engines.names import COMPONENTS, Family

SMALL = {"height": 64, "width": 64, "num_frames": 2, "num_inference_steps": 2, "seed": 7}
LTX_ONLY = ("prompt", "negative_prompt", "guidance_scale", "ltxv_version", "latents", "embeddings")
SVD_ONLY = ("motion_bucket_id", "noise_aug_strength", "decode_chunk_size", "resize_mode")


@pytest.fixture
def pipeline(svd_bundle):
    with load_pipeline(svd_bundle, device="cpu") as opened:
        yield opened


def test_a_picture_may_come_in_any_form(pipeline, photo, tmp_path):
    """A file by its path or its name, pillow's image and an array of it make the same video."""
    photo.save(tmp_path / "photo.png")
    forms = [tmp_path / "photo.png", str(tmp_path / "photo.png"), photo, np.asarray(photo)]
    first, *others = (pipeline(image=form, **SMALL) for form in forms)
    assert first.frames.shape == (2, 64, 64, 3)
    assert first.frames.dtype == np.uint8
    assert first.fps == 7
    assert all(np.array_equal(first.frames, other.frames) for other in others)


def test_the_bundle_opens_with_what_plays_it(pipeline):
    """Every component is there, and the device and what plays are told."""
    assert set(pipeline.components) == set(COMPONENTS[Family.SVD])
    assert pipeline.device == "cpu (onnxruntime)"


def test_parts_come_and_go_by_phases(pipeline, photo, opened):
    """Of four engines one is open at a time: each is gone before the next comes."""
    pipeline(image=photo, **SMALL)
    names = ["image encoder", "VAE encoder", "UNet", "VAE decoder"]
    assert opened == [(what, name) for name in names for what in ("open", "close")]


def test_steps_belong_to_the_caller(pipeline, photo):
    """Each step says where it stands, may be decoded, and the last is what a call makes."""
    steps = list(pipeline.denoise(image=photo, **SMALL))
    assert [(step.index, step.total) for step in steps] == [(1, 2), (2, 2)]
    assert steps[0].sigma > steps[1].sigma == 0
    assert {step.latents.shape for step in steps} == {(1, 2, 4, 8, 8)}
    (preview,), (video,) = (pipeline.decode(step) for step in steps)
    assert preview.frames.shape == video.frames.shape
    assert np.array_equal(video.frames, pipeline(image=photo, **SMALL).frames)


def test_nothing_is_opened_before_the_first_step(pipeline, photo, opened):
    """A generator that is not asked for a step has opened no engine, but has checked the request and its picture."""
    pipeline.denoise(image=photo, **SMALL)
    with pytest.raises(RequestError):
        pipeline.denoise(image=photo.resize((1, 1)), **SMALL)
    assert opened == []


def test_videos_of_one_seed_differ(pipeline, photo):
    """Several videos of one picture are drawn one after the other; one alone is the first."""
    first, second = pipeline.videos(image=photo, num_videos=2, **SMALL)
    assert int(np.abs(first.frames.astype(int) - second.frames).max()) > 20
    assert [video.record["video"] for video in (first, second)] == [0, 1]


def test_official_chunks_end_with_their_video(pipeline, photo):
    """By the official convention a chunk holds frames of one video, so that each is as it would be alone."""
    asked = {**SMALL, "num_frames": 3, "decode_chunk_size": 2}
    first, _ = pipeline.videos(image=photo, num_videos=2, **asked)
    alone = pipeline(image=photo, **asked)
    assert int(np.abs(first.frames.astype(int) - alone.frames).max()) <= 1


@pytest.mark.parametrize("name", LTX_ONLY)
def test_what_belongs_to_the_other_family_is_refused(pipeline, photo, sentence, opened, name):
    """An option of LTX-Video is refused by its name, whatever its value; None is none."""
    with pytest.raises(RequestError) as error:
        pipeline(image=photo, **SMALL, **{name: "x"})
    assert sentence(error).startswith(f"Stable Video Diffusion takes no {name}: leave it out")
    pipeline.check(image=photo, **SMALL, **{name: None})
    assert opened == []


@pytest.mark.parametrize("name", SVD_ONLY)
def test_ltx_video_refuses_what_is_not_its(demo, small, sentence, name):
    """The other way round too."""
    with pytest.raises(RequestError) as error:
        demo(**small, **{name: 1})
    assert sentence(error).startswith(f"LTX-Video takes no {name}: leave it out")


def test_a_picture_is_needed(pipeline, sentence):
    """Without a picture there is nothing to begin with."""
    with pytest.raises(RequestError) as error:
        pipeline(**SMALL)
    assert sentence(error) == "An image is needed: Stable Video Diffusion makes a video from a picture."
