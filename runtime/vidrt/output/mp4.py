"""H.264 in MP4, with the colours that players expect.

PyAV directly: imageio's plugin can set neither the encoder's quality nor the colour tags.
"""

from collections.abc import Iterable
from fractions import Fraction
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np

from vidrt.output.clip import Frames, check_clip
from vidrt.output.errors import OutputError
from vidrt.output.paths import replacing

# close to what the eye cannot tell from the original
_QUALITY = {"crf": "17", "preset": "medium"}
# the index in front, so that a browser plays before it has everything
_LAYOUT = {"movflags": "+faststart"}
# 23.976 stands for 24000/1001, and is off by one part in a million
_NTSC_TOLERANCE = 2e-6
_LARGEST_TERM = 0xFFFF


def write_mp4(path: Path, frames: Frames | Iterable[Frames], fps: float) -> None:
    """Writes H.264 in yuv420p, converted with and tagged as BT.709.

    An odd height or width, which that pixel format does not have, is made even by repeating the last row or column.

    Args:
        path: The file, whole or not there at all.
        frames: uint8 (F, H, W, 3), RGB, or one (H, W, 3) after the other, each written as it comes.
        fps: Frames in a second; 23.976, 29.97 and 59.94 mean 24000/1001, 30000/1001 and 60000/1001.

    Raises:
        OutputError: The file cannot be written.
        ValueError: frames or fps are not what they should be.
    """
    import av

    one_by_one = _checked(frames, fps)
    with replacing(path) as temporary:
        try:
            _encode(temporary, one_by_one, frame_rate(fps))
        except av.FFmpegError as error:
            raise OutputError(f"{path} could not be written: {error.strerror}") from error


def frame_rate(fps: float) -> Fraction:
    """Finds the fraction that a rate in decimals stands for."""
    ntsc = Fraction(round(fps * 1.001) * 1000, 1001)
    if abs(ntsc - fps) <= _NTSC_TOLERANCE * fps:
        return ntsc
    # of the rate below 1 the reciprocal is rounded, which is then never 0
    if fps < 1:
        return 1 / Fraction(1 / fps).limit_denominator(_LARGEST_TERM)
    return Fraction(fps).limit_denominator(_LARGEST_TERM)


def _checked(frames: Frames | Iterable[Frames], fps: float) -> Iterable[Frames]:
    """The frames one by one, each of the first one's size."""
    if isinstance(frames, np.ndarray):
        check_clip(frames, fps)
        return frames
    first = next(iterator := iter(frames), np.empty(0, np.uint8))
    check_clip(first[None], fps)
    return chain([first], (_alike(frame, first) for frame in iterator))


def _alike(frame: Frames, first: Frames) -> Frames:
    if (frame.dtype, frame.shape) != (first.dtype, first.shape):
        raise ValueError(f"frames are all uint8 {first.shape} as the first, not {frame.dtype} {frame.shape}")
    return frame


def _encode(path: Path, frames: Iterable[Frames], rate: Fraction) -> None:
    import av
    from av.video.reformatter import VideoReformatter

    # our own converter: the one that frames share keeps its threads for the life of the process
    reformatter = VideoReformatter()
    with av.open(str(path), "w", format="mp4", container_options=_LAYOUT) as container:
        stream = None
        for index, frame in enumerate(frames):
            stream = stream or _add_stream(container, frame, rate)
            picture = _to_yuv(reformatter, frame)
            picture.pts = index
            container.mux(stream.encode(picture))
        assert stream is not None  # there is a frame
        container.mux(stream.encode(None))


def _add_stream(container: Any, frame: Frames, rate: Fraction) -> Any:
    from av.video.reformatter import ColorPrimaries, ColorRange, Colorspace, ColorTrc

    stream = container.add_stream("libx264", rate=rate, options=_QUALITY)
    stream.height, stream.width = (size + size % 2 for size in frame.shape[:2])
    stream.pix_fmt = "yuv420p"
    stream.time_base = 1 / rate
    stream.codec_context.time_base = 1 / rate
    stream.codec_context.colorspace = Colorspace.ITU709
    stream.codec_context.color_primaries = ColorPrimaries.BT709
    stream.codec_context.color_trc = ColorTrc.BT709
    stream.codec_context.color_range = ColorRange.MPEG
    return stream


def _to_yuv(reformatter: Any, frame: Frames) -> Any:
    """Converts RGB (H, W, 3) to yuv420p with the BT.709 matrix, limited range."""
    import av
    from av.video.reformatter import ColorRange, Colorspace, Interpolation

    height, width, _ = frame.shape
    even = np.pad(frame, ((0, height % 2), (0, width % 2), (0, 0)), mode="edge")
    return reformatter.reformat(
        av.VideoFrame.from_ndarray(even, format="rgb24"),
        format="yuv420p",
        dst_colorspace=Colorspace.ITU709,
        dst_color_range=ColorRange.MPEG,
        interpolation=Interpolation.BICUBIC | Interpolation.ACCURATE_RND | Interpolation.FULL_CHR_H_INP,
    )
