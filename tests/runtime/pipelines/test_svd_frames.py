"""Latents to frames: their scale, their chunks, their bytes."""

import numpy as np
import pytest
import torch
from diffusers.video_processor import VideoProcessor
from svd_stubs import Oracle
from vidrt.pipelines.svd.frames import decode_chunks, decoder_latents, frames_to_bytes

SHAPE = (2, 5, 4, 2, 3)


@pytest.fixture
def latents():
    return np.random.default_rng(0).standard_normal(SHAPE, np.float32)


@pytest.mark.parametrize("size", [1, 2, 3, 5, 7, 10, 12])
def test_chunks_that_mix_videos_are_diffusers(latents, size):
    """What is decoded together is what diffusers decodes together, from latents that are its to the bit."""
    oracle = Oracle()
    frames = oracle.pipeline.decode_latents(torch.from_numpy(latents), 5, size)
    chunks = list(decode_chunks(2, 5, size, mixes_videos=True))
    assert len(chunks) == len(oracle.vae.calls)
    flat = decoder_latents(latents, 0.18215)
    assert flat.dtype == np.float32
    for chunk, expected in zip(chunks, oracle.vae.calls, strict=True):
        assert np.array_equal(flat[chunk], expected.numpy())
    assert frames.shape == (2, 3, 5, 16, 24)


def test_chunks_end_where_a_video_ends():
    """Unless asked to mix, no chunk has frames of two videos."""
    assert list(decode_chunks(2, 5, 2, mixes_videos=False)) == [
        slice(0, 2), slice(2, 4), slice(4, 5), slice(5, 7), slice(7, 9), slice(9, 10),
    ]  # fmt: skip
    assert list(decode_chunks(2, 5, 99, mixes_videos=False)) == [slice(0, 5), slice(5, 10)]


@pytest.mark.parametrize("mixes", [False, True])
def test_without_a_size_each_video_is_decoded_at_once(mixes):
    """The default is all frames of a video, as diffusers has it."""
    assert list(decode_chunks(3, 25, None, mixes_videos=mixes)) == [slice(0, 25), slice(25, 50), slice(50, 75)]


@pytest.mark.parametrize("mixes", [False, True])
@pytest.mark.parametrize("size", [1, 3, 8, 14, 25, 60])
def test_every_frame_is_decoded_once_and_in_order(size, mixes):
    """Chunks leave none out, and are as large as asked for at most."""
    chunks = list(decode_chunks(2, 25, size, mixes_videos=mixes))
    assert [index for chunk in chunks for index in range(50)[chunk]] == list(range(50))
    assert max(chunk.stop - chunk.start for chunk in chunks) <= size


def test_bytes_are_diffusers():
    """Decoded frames, one after another, become the bytes of diffusers' pictures, video by video."""
    frames = np.random.default_rng(2).normal(0, 0.7, (6, 3, 8, 10)).astype(np.float32)
    videos = torch.from_numpy(frames).reshape(2, 3, 3, 8, 10).permute(0, 2, 1, 3, 4)
    pictures = VideoProcessor(vae_scale_factor=8).postprocess_video(videos, output_type="pil")
    expected = np.stack([[np.asarray(picture) for picture in video] for video in pictures])
    got = frames_to_bytes(frames, 2)
    assert got.dtype == np.uint8
    assert np.array_equal(got, expected)
    assert {0, 255} <= set(np.unique(got))
