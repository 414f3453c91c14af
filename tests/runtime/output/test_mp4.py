"""An MP4 keeps frames, size, rate and colours, and says which matrix it used."""

from fractions import Fraction

import av
import numpy as np
import pytest
from av.video.reformatter import ColorPrimaries, ColorRange, Colorspace, ColorTrc
from vidrt.output.errors import OutputError
from vidrt.output.mp4 import frame_rate, write_mp4


def read_mp4(path):
    """Decodes with the matrix that each frame is tagged with."""
    with av.open(str(path)) as container:
        pictures = container.decode(video=0)
        frames = [each.reformat(format="rgb24", src_colorspace=each.colorspace).to_ndarray() for each in pictures]
    return np.stack(frames)


def test_the_frames_come_back(tmp_path, smooth_clip, psnr):
    write_mp4(tmp_path / "a.mp4", smooth_clip, 24.0)
    frames = read_mp4(tmp_path / "a.mp4")
    assert frames.shape == smooth_clip.shape
    assert psnr(frames, smooth_clip) >= 35


def test_flat_colours_come_back_through_the_tagged_matrix(tmp_path, flat_clip):
    write_mp4(tmp_path / "a.mp4", flat_clip, 24.0)
    patches = read_mp4(tmp_path / "a.mp4")[:, 24, 16::32].astype(int)
    assert np.abs(patches - flat_clip[:, 24, 16::32]).max() <= 3


def test_codec_pixel_format_and_colour_tags(tmp_path, smooth_clip):
    write_mp4(tmp_path / "a.mp4", smooth_clip, 24.0)
    with av.open(str(tmp_path / "a.mp4")) as container:
        context = container.streams.video[0].codec_context
        assert (context.name, context.pix_fmt) == ("h264", "yuv420p")
        assert context.colorspace == Colorspace.ITU709
        assert context.color_primaries == ColorPrimaries.BT709
        assert context.color_trc == ColorTrc.BT709
        assert context.color_range == ColorRange.MPEG


def test_quality_and_the_index_in_front(tmp_path, smooth_clip):
    write_mp4(tmp_path / "a.mp4", smooth_clip, 24.0)
    content = (tmp_path / "a.mp4").read_bytes()
    assert b"crf=17.0" in content
    assert 0 < content.find(b"moov") < content.find(b"mdat")


@pytest.mark.parametrize(
    ("fps", "rate"),
    [
        (24.0, Fraction(24)),
        (23.976, Fraction(24000, 1001)),
        (24000 / 1001, Fraction(24000, 1001)),
        (29.97, Fraction(30000, 1001)),
        (59.94, Fraction(60000, 1001)),
        (12.5, Fraction(25, 2)),
        (0.5, Fraction(1, 2)),
        (0.001, Fraction(1, 1000)),
        (1000.0, Fraction(1000)),
    ],
)
def test_rates_are_exact_in_the_file(tmp_path, flat_clip, fps, rate):
    assert frame_rate(fps) == rate
    write_mp4(tmp_path / "a.mp4", flat_clip, fps)
    with av.open(str(tmp_path / "a.mp4")) as container:
        stream = container.streams.video[0]
        assert stream.average_rate == rate
        times = [picture.pts * picture.time_base for picture in container.decode(stream)]
        assert times == [index / rate for index in range(3)]


@pytest.mark.parametrize("fps", [1e-4, 0.3333, 7.123456, 23.98, 119.88, 12345.678])
def test_any_other_rate_is_close(fps):
    assert abs(frame_rate(fps) / Fraction(fps) - 1) < 2e-6


def test_a_single_frame(tmp_path, smooth_clip, psnr):
    write_mp4(tmp_path / "a.mp4", smooth_clip[:1], 24.0)
    frames = read_mp4(tmp_path / "a.mp4")
    assert len(frames) == 1
    assert psnr(frames, smooth_clip[:1]) >= 35


@pytest.mark.parametrize(("height", "width"), [(33, 65), (32, 65), (1, 1)])
def test_odd_sizes_are_made_even_at_the_far_edge(tmp_path, smooth_clip, height, width):
    write_mp4(tmp_path / "a.mp4", smooth_clip[:, :height, :width], 24.0)
    frames = read_mp4(tmp_path / "a.mp4")
    assert frames.shape[1:3] == (height + height % 2, width + width % 2)
    difference = frames[:, :height, :width].astype(int) - smooth_clip[:, :height, :width]
    assert np.abs(difference).mean() < 4


def test_a_full_disk_is_one_sentence_and_leaves_nothing(tmp_path, noise_clip, full_disk):
    with full_disk(), pytest.raises(OutputError, match=r"a\.mp4 could not be written: File too large"):
        write_mp4(tmp_path / "a.mp4", noise_clip, 24.0)
    assert list(tmp_path.iterdir()) == []


def test_frames_are_written_as_they_come(tmp_path, smooth_clip):
    """A file of frames that come one by one is that of the clip, and each frame is encoded before the next is asked."""
    write_mp4(tmp_path / "whole.mp4", smooth_clip, 24.0)
    write_mp4(tmp_path / "parts.mp4", iter(smooth_clip), 24.0)
    assert (tmp_path / "parts.mp4").read_bytes() == (tmp_path / "whole.mp4").read_bytes()


@pytest.mark.parametrize("frames", [[], [np.zeros((8, 8), np.uint8)], [np.zeros((n, 8, 3), np.uint8) for n in (8, 9)]])
def test_frames_that_come_have_one_shape(tmp_path, frames):
    """No frame, one that is no picture and one of another size are refused, and nothing is left."""
    with pytest.raises(ValueError, match="frames are"):
        write_mp4(tmp_path / "a.mp4", iter(frames), 24.0)
    assert not list(tmp_path.iterdir())
