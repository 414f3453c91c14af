"""What conditions are read from: pictures and videos, from files and from memory."""

import os
import struct
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image
from vidrt.conditioning.item import Condition, settle_conditions
from vidrt.conditioning.media import open_media
from vidrt.conditioning.rules import ConditionRules
from vidrt.conditioning.video_file import count_frames
from vidrt.errors import RequestError
from vidrt.output.gif import write_gif
from vidrt.output.mp4 import write_mp4

LENGTH = 12
# Containers, and codecs that are in every FFmpeg.
KINDS = {
    "mp4": ("libx264", "yuv420p"), "mov": ("mjpeg", "yuvj444p"), "mkv": ("ffv1", "bgr0"), "avi": ("mpeg4", "yuv420p"),
    "webm": ("libvpx-vp9", "yuv420p"), "m4v": ("mpeg4", "yuv420p"), "MP4": ("libx264", "yuv420p"),
}  # fmt: skip


@pytest.fixture
def frames():
    """A dozen frames that differ from each other by their brightness."""
    rows, columns = np.mgrid[:48, :64]
    values = [np.stack([rows * 2, columns + 8 * n, np.full((48, 64), 15 * n)], axis=-1) for n in range(LENGTH)]
    return np.asarray(values, np.uint8)


@pytest.fixture
def encoded(tmp_path, frames):
    """A function of a kind of file: one that FFmpeg writes of the frames."""
    import av

    def write(kind, codec=None, container_options=None, **options):
        own, pixels = KINDS[kind]
        pixels = "rgb24" if codec == "png" else pixels
        path = tmp_path / f"clip.{kind}"
        form = {"mkv": "matroska", "m4v": "mp4"}.get(kind, kind.lower())
        with av.open(str(path), "w", format=form, container_options=container_options or {}) as container:
            stream = container.add_stream(codec or own, rate=8, options=options)
            stream.height, stream.width, stream.pix_fmt = *frames.shape[1:3], pixels
            for frame in frames:
                container.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="rgb24").reformat(format=pixels)))
            container.mux(stream.encode())
        return path

    return write


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_video_is_read(encoded, frames, kind):
    """Frames are counted and come in their order, about as they went in."""
    media = open_media(encoded(kind))
    got = np.stack(list(media.read(LENGTH)))
    assert media.frames == LENGTH
    assert got.shape == frames.shape
    assert got.dtype == np.uint8
    assert np.abs(got.astype(int) - frames).mean() < 8
    order = [np.abs(got.astype(int) - frame).mean(axis=(1, 2, 3)).argmin() for frame in frames]
    assert order == list(range(LENGTH))


def test_lossless_frames_are_bit_for_bit(encoded, frames):
    """What a codec keeps, the reader keeps; fewer may be read."""
    assert np.array_equal(np.stack(list(open_media(encoded("mkv")).read(5))), frames[:5])


def test_our_own_files_are_read(tmp_path, frames):
    """What `vidrt generate` writes may be the beginning of the next video."""
    write_mp4(tmp_path / "video.mp4", frames, 23.976)
    write_gif(tmp_path / "video.gif", frames, 8)
    for path in tmp_path.iterdir():
        media = open_media(str(path))
        assert media.frames == LENGTH
        assert np.abs(np.stack(list(media.read(LENGTH))).astype(int) - frames).mean() < 8


def test_frames_that_are_cut_off_are_not_counted(encoded, tmp_path):
    """A video whose beginning was cut off without encoding it anew still holds it: hidden frames are no frames."""
    import av

    path = tmp_path / "cut.mp4"
    with av.open(str(encoded("mp4", g="12", bf="0"))) as source, av.open(str(path), "w") as target:
        stream = target.add_stream_from_template(source.streams.video[0])
        for packet in source.demux(source.streams.video[0]):
            if packet.size:
                packet.stream, packet.pts, packet.dts = stream, packet.pts, packet.dts
                shift = 5 * packet.duration
                packet.pts, packet.dts = packet.pts - shift, packet.dts - shift
                target.mux(packet)
    with av.open(str(path)) as container:
        assert container.streams.video[0].frames == LENGTH
    assert count_frames(path) == len(list(open_media(path).read(LENGTH))) == LENGTH - 5


@pytest.mark.parametrize(("matrix", "turns"), [((0, 1, -1, 0), -1), ((-1, 0, 0, -1), 2), ((0, -1, 1, 0), 1)])
def test_a_video_is_upright(encoded, frames, matrix, turns):
    """Phones write a matrix by which a video is to be turned, clockwise for the first."""
    path = encoded("mov", codec="png")
    content = path.read_bytes()
    start = content.index(struct.pack(">9i", 1 << 16, 0, 0, 0, 1 << 16, 0, 0, 0, 1 << 30), content.index(b"tkhd"))
    a, b, c, d = (value << 16 for value in matrix)
    turned = struct.pack(">9i", a, b, 0, c, d, 0, 0, 0, 1 << 30)
    path.write_bytes(content[:start] + turned + content[start + len(turned) :])
    (got,) = open_media(path).read(1)
    assert np.array_equal(got, np.rot90(frames[0], turns))


def test_pictures_from_files_and_memory(tmp_path, frames):
    """A picture is one frame, and a sequence of pictures is a video, whatever they are."""
    path = tmp_path / "picture.png"
    Image.fromarray(frames[3]).save(path)
    for source in (path, str(path), frames[3], Image.fromarray(frames[3])):
        media = open_media(source)
        assert media.frames == 1
        assert np.array_equal(next(media.read(1)), frames[3])
    for source in (frames, list(frames), [Image.fromarray(frame) for frame in frames], [path] * LENGTH):
        media = open_media(source)
        assert media.frames == LENGTH
        assert np.array_equal(list(media.read(9))[3], frames[3])


BAD = {
    "a file that is not there": ("none.mp4", "There is no video"),
    "a picture that is not there": ("none.png", "There is no image"),
    "a folder": ("folder.mp4", "is a folder"),
    "an empty file": ("empty.mp4", "cannot be read as a video"),
    "a text": ("text.mov", "cannot be read as a video"),
    "a text as a picture": ("text.png", "is of no kind that can be read"),
    "sound alone": ("sound.mp4", "has no video in it"),
    "a pipe": ("pipe.mkv", "no regular file"),
    "a tiny video": ("thin.mov", "too small with 1×48"),
}


@pytest.fixture
def bad(tmp_path):
    """A folder of files that are no media."""
    import av

    (tmp_path / "folder.mp4").mkdir()
    (tmp_path / "empty.mp4").write_bytes(b"")
    for name in ("text.mov", "text.png"):
        (tmp_path / name).write_text("no film " * 50)
    os.mkfifo(tmp_path / "pipe.mkv")
    with av.open(str(tmp_path / "sound.mp4"), "w") as container:
        stream = container.add_stream("aac", rate=8000, layout="mono")
        sound = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), format="fltp", layout="mono")
        sound.rate = 8000
        container.mux([*stream.encode(sound), *stream.encode()])
    with av.open(str(tmp_path / "thin.mov"), "w") as container:
        stream = container.add_stream("png", rate=8)
        stream.width, stream.height, stream.pix_fmt = 1, 48, "rgb24"
        container.mux([*stream.encode(av.VideoFrame(1, 48, "rgb24")), *stream.encode()])
    return tmp_path


@pytest.mark.parametrize("what", BAD)
def test_what_is_no_media_is_refused(bad, what):
    """One sentence says which file, and what is wrong with it."""
    name, words = BAD[what]
    with pytest.raises(RequestError, match=words) as error:
        open_media(bad / name)
    assert name in str(error.value)


@pytest.mark.parametrize("place", [0.4, 0.8])
def test_a_damaged_video_is_refused_at_once(encoded, place):
    """What cannot be decoded is found while the request is checked, if it is needed."""
    path = encoded("mov", codec="png", container_options={"movflags": "+faststart"})
    whole = path.read_bytes()
    assert settled(path, 9).frames == 9
    start = int(len(whole) * place)
    path.write_bytes(whole[:start] + bytes(2000) + whole[start + 2000 :])
    if place < 0.5:
        with pytest.raises(RequestError, match=r"breaks off after|cannot be read as a video"):
            settled(path, 9)
    else:
        assert settled(path, 9).frames == 9  # the tenth frame is nobody's


def test_a_video_that_breaks_off_is_refused_at_once(encoded):
    """A file that was not copied to its end says in front how many frames it should have."""
    path = encoded("mov", codec="png", container_options={"movflags": "+faststart"})
    whole = path.read_bytes()
    path.write_bytes(whole[: int(len(whole) * 0.75)])
    frames = count_frames(path)
    assert 1 < frames < LENGTH
    with pytest.raises(RequestError, match=r"breaks off after|cannot be read as a video"):
        open_media(path).check(frames)


def settled(path, num_frames):
    (got,) = settle_conditions([Condition(media=path)], num_frames, 8, ConditionRules.OFFICIAL)
    return got


@pytest.mark.parametrize("source", [[], np.zeros((0, 4, 4, 3), np.uint8)])
def test_an_empty_sequence_is_refused(source):
    """There is no first frame to begin with."""
    with pytest.raises(RequestError, match="is empty"):
        open_media(source)


@pytest.mark.parametrize("source", [3, None, np.zeros((4, 4), np.uint8), np.zeros((2, 4, 4, 3), np.float32), [None]])
def test_other_values_are_refused(source):
    """Numbers and arrays of another kind are no media."""
    with pytest.raises(RequestError, match="An image should be"):
        open_media(source)


def test_pictures_of_several_sizes_are_refused(frames):
    """The frames of a video have one size."""
    with pytest.raises(RequestError, match=r"several sizes \(32×48, 64×48\)"):
        open_media([frames[0], frames[0][:, :32]])


def test_importing_needs_no_av():
    """PyAV and pillow are read when media are: `import vidrt` stays cheap."""
    code = "import sys, vidrt.conditioning.clips; assert not {'av', 'PIL'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)
