"""A GIF keeps size, colours and time, loops for ever, and needs little memory."""

import tracemalloc

import numpy as np
import pytest
from PIL import Image, ImageFilter
from vidrt.output.errors import OutputError
from vidrt.output.gif import frame_delays, write_gif


def read_gif(path):
    """Gives the frames, their delays in milliseconds and the loop count."""
    frames, delays = [], []
    with Image.open(path) as image:
        for index in range(image.n_frames):
            image.seek(index)
            frames.append(np.asarray(image.convert("RGB")))
            delays.append(image.info["duration"])
        return np.stack(frames), delays, image.info["loop"]


def blurred(frames):
    """What the eye makes of dithering."""
    return np.stack([np.asarray(Image.fromarray(each).filter(ImageFilter.GaussianBlur(1.5))) for each in frames])


def test_size_time_and_looping(tmp_path, smooth_clip):
    write_gif(tmp_path / "a.gif", smooth_clip, 25.0)
    frames, delays, loop = read_gif(tmp_path / "a.gif")
    assert frames.shape == smooth_clip.shape
    assert delays == [40] * 12
    assert loop == 0


def test_gradients_look_smooth(tmp_path, smooth_clip, psnr):
    write_gif(tmp_path / "a.gif", smooth_clip, 25.0)
    frames, _, _ = read_gif(tmp_path / "a.gif")
    assert psnr(frames, smooth_clip) >= 26
    assert psnr(blurred(frames), blurred(smooth_clip)) >= 34


def test_flat_colours_are_exact(tmp_path, flat_clip):
    clip = flat_clip.copy()
    clip[1:, 10:20, 10:20] = (1, 2, 3)
    clip[2, 10:20, 10:20] = (250, 251, 252)
    write_gif(tmp_path / "a.gif", clip, 25.0)
    np.testing.assert_array_equal(read_gif(tmp_path / "a.gif")[0], clip)


def test_a_small_vivid_thing_keeps_its_colour(tmp_path, smooth_clip):
    clip = (smooth_clip // 4 + 20).astype(np.uint8)
    clip[:, 30:36, 40:46] = (250, 20, 30)
    write_gif(tmp_path / "a.gif", clip, 25.0)
    frames, _, _ = read_gif(tmp_path / "a.gif")
    assert np.abs(frames[:, 31:35, 41:45].astype(int) - (250, 20, 30)).mean() < 4


@pytest.mark.parametrize("shape", [(1, 48, 64, 3), (1, 1, 1, 3), (2, 3, 5, 3)])
def test_a_single_frame_and_odd_sizes(tmp_path, shape):
    clip = np.zeros(shape, np.uint8)
    clip[-1] = 255
    write_gif(tmp_path / "a.gif", clip, 24.0)
    np.testing.assert_array_equal(read_gif(tmp_path / "a.gif")[0], clip)


def test_frames_without_change_last_longer(tmp_path, flat_clip):
    write_gif(tmp_path / "a.gif", flat_clip, 10.0)
    _, delays, _ = read_gif(tmp_path / "a.gif")
    assert sum(delays) == 300


@pytest.mark.parametrize(
    ("fps", "delays"),
    [
        (25, [4] * 6),
        (24, [4, 4, 4, 5, 4, 4]),
        (30, [3, 4, 3, 3, 4, 3]),
        (50, [2] * 6),
        (120, [2] * 6),
        (0.001, [65535] * 6),
    ],
)
def test_delays_do_not_drift_and_are_at_least_two_hundredths(fps, delays):
    assert frame_delays(6, fps) == delays


def test_each_frame_is_announced(tmp_path, smooth_clip):
    seen = []
    write_gif(tmp_path / "a.gif", smooth_clip, 25.0, on_frame=lambda: seen.append(1))
    assert len(seen) == len(smooth_clip)


def test_the_same_clip_gives_the_same_file(tmp_path, smooth_clip):
    for name in ["a.gif", "b.gif"]:
        write_gif(tmp_path / name, smooth_clip, 25.0)
    assert (tmp_path / "a.gif").read_bytes() == (tmp_path / "b.gif").read_bytes()


def test_frames_need_not_be_contiguous(tmp_path, smooth_clip):
    mirrored = smooth_clip[::-1, :, ::-1]
    write_gif(tmp_path / "a.gif", mirrored, 25.0)
    write_gif(tmp_path / "b.gif", np.ascontiguousarray(mirrored), 25.0)
    assert (tmp_path / "a.gif").read_bytes() == (tmp_path / "b.gif").read_bytes()


def test_numpy_needs_less_than_the_frames_themselves(tmp_path):
    clip = np.random.default_rng(0).integers(0, 256, (60, 256, 384, 3), np.uint8)
    clip[1:] = clip[0]
    tracemalloc.start()
    try:
        write_gif(tmp_path / "a.gif", clip, 25.0)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < clip.nbytes


def test_a_full_disk_is_one_sentence_and_leaves_nothing(tmp_path, noise_clip, full_disk):
    with full_disk(), pytest.raises(OutputError, match=r"a\.gif could not be written: File too large"):
        write_gif(tmp_path / "a.gif", noise_clip, 25.0)
    assert list(tmp_path.iterdir()) == []
