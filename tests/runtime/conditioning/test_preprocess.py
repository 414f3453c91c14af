"""Prepared pictures against the official code, by `scripts/golden_ltx_conditioning.py`, and against diffusers."""

import av
import ltx_conditioning
import numpy as np
import pytest
import torch
from diffusers.video_processor import VideoProcessor
from PIL import Image
from vidrt.conditioning.compression import compressed
from vidrt.conditioning.filters import bilinear, blurred
from vidrt.conditioning.preprocess import cut_to_shape, official_frame, prepared_clip
from vidrt.conditioning.rules import ConditionRules
from vidrt.errors import RequestError

ONE = np.float32(1)
SHAPES = [(64, 96), (40, 120), (101, 45), (540, 30)]
each_picture = pytest.mark.parametrize("name", ltx_conditioning.PICTURES)


@pytest.fixture
def recorded():
    """A function of a picture: what the official code made of it at each stage."""
    arrays = ltx_conditioning.recorded("pictures")

    def stages(name):
        return {what: arrays[f"{name}, {what}"] for what in ("blurred", "compressed", "resized")}

    return stages


def as_bytes(image):
    return (image * np.float32(255)).astype(np.uint8)


@each_picture
def test_cutting_and_blurring_are_the_official_ones(recorded, name):
    """The bytes that are to be compressed are the official ones, every one of them."""
    wanted = recorded(name)["blurred"]
    cut = cut_to_shape(ltx_conditioning.picture(name), ltx_conditioning.PICTURES[name][1])
    assert np.array_equal(as_bytes(blurred(cut.astype(np.float32) / np.float32(255))), wanted)
    assert len(np.unique(cut)) > 50


@each_picture
def test_compression_is_the_official_one(recorded, name):
    """The same FFmpeg gives the same bytes; another one may differ a little."""
    wanted = recorded(name)
    unit = (wanted["blurred"].astype(np.float32) + np.float32(0.5)) / np.float32(255)  # which cutting off takes away
    got = np.round(compressed(unit) * 255).astype(np.uint8)
    same = tuple(ltx_conditioning.recorded("pictures")["libavcodec"]) == av.library_versions["libavcodec"]
    difference = np.abs(got.astype(int) - wanted["compressed"])
    assert difference.max() == 0 if same else difference.mean() <= 1
    height, width = wanted["blurred"].shape[:2]
    assert got.shape == (height // 2 * 2, width // 2 * 2, 3)
    assert np.abs(got.astype(int) - wanted["blurred"][: got.shape[0], : got.shape[1]]).mean() > 1  # it loses something


@each_picture
def test_resizing_is_the_official_one(recorded, name):
    """Up and down, in fp32."""
    wanted = recorded(name)
    values = wanted["compressed"].astype(np.float32) / np.float32(127.5) - ONE
    got = bilinear(values.transpose(2, 0, 1), ltx_conditioning.PICTURES[name][1])
    assert got.shape == wanted["resized"].shape
    assert np.abs(got - wanted["resized"]).max() <= 1e-6


@pytest.mark.parametrize("size", [(64, 96), (31, 200), (2, 2), (1, 7), (704, 1216)])
@pytest.mark.parametrize("shape", SHAPES)
def test_resizing_is_torchs(shape, size):
    """Any size to any other."""
    values = np.random.default_rng(0).standard_normal((3, *shape), np.float32)
    wanted = torch.nn.functional.interpolate(torch.from_numpy(values)[None], size=size, mode="bilinear")[0].numpy()
    assert np.abs(bilinear(values, size) - wanted).max() <= 1e-6


@pytest.mark.parametrize("shape", [(2, 2), (2, 300), (300, 2), (3, 3)])
def test_the_smallest_pictures(shape):
    """What is left of a narrow picture can still be blurred and compressed."""
    picture = np.random.default_rng(0).integers(0, 256, (*shape, 3), np.uint8)
    for full in [(64, 96), (1024, 64)]:
        got = official_frame(picture, full, (32, 64))
        assert got.shape == (1, 3, 32, 64)
        assert np.isfinite(got).all()


def test_a_picture_that_the_encoder_does_not_take():
    """A side beyond what H.264 has is refused in a sentence."""
    with pytest.raises(RequestError, match=r"20000×16 cannot be compressed.*smaller"):
        compressed(np.zeros((16, 20000, 3), np.float32))


@pytest.mark.parametrize("rules", [ConditionRules.CONDITION, ConditionRules.IMAGE_TO_VIDEO])
@pytest.mark.parametrize("shape", SHAPES)
def test_diffusers_frames_are_diffusers(shape, rules):
    """Where diffusers is followed, frames are bit for bit what its video processor makes of them."""
    frames = np.random.default_rng(0).integers(0, 256, (3, *shape, 3), np.uint8)
    wanted = VideoProcessor(vae_scale_factor=32).preprocess_video([Image.fromarray(f) for f in frames], 64, 96)
    assert np.array_equal(prepared_clip(iter(frames), (64, 96), (64, 96), rules), wanted.numpy())


def test_a_clip_is_its_frames():
    """Frames are prepared one by one, in their order."""
    frames = np.random.default_rng(0).integers(0, 256, (3, 48, 70, 3), np.uint8)
    got = prepared_clip(iter(frames), (64, 96), (32, 64), ConditionRules.OFFICIAL)
    assert got.shape == (1, 3, 3, 32, 64)
    for index, frame in enumerate(frames):
        assert np.array_equal(got[:, :, index], official_frame(frame, (64, 96), (32, 64)))
