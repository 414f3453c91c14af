"""Video files: how many frames they have, and the frames."""

import contextlib
import functools
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from vidrt.arrays import ByteArray
from vidrt.errors import RequestError
from vidrt.images.read import check_size

VIDEO_SUFFIXES = frozenset({".mp4", ".mov", ".mkv", ".avi", ".webm", ".gif", ".m4v"})
"""Names that end otherwise are those of pictures."""

_QUARTER = 90


def count_frames(path: Path) -> int:
    """Counts a video's frames without decoding any.

    Headers are not believed: some containers have no count, and a cut one the count of what is hidden too.

    Raises:
        RequestError: the file is missing, no video, damaged or too large.
    """
    with _opened(path) as (container, stream):
        check_size(str(path), stream.width, stream.height)
        frames = sum(1 for packet in container.demux(stream) if packet.size and not packet.is_discard)
    if not frames:
        raise RequestError(f"{path} holds no frames.")
    return frames


def check_video(path: Path, count: int) -> None:
    """Makes sure that a video's first frames can be decoded; for one that has not changed since, it is known.

    Raises:
        RequestError: the file is damaged.
    """
    state = path.stat()
    _check_frames(path, count, state.st_mtime_ns, state.st_size)


@functools.lru_cache(maxsize=64)
def _check_frames(path: Path, count: int, *_: int) -> None:
    with _opened(path) as (container, stream):
        done = sum(1 for _ in islice(container.decode(stream), count))
    if done < count:
        raise RequestError(f"{path} breaks off after {done} frames, and {count} are needed: save it again.")


def video_frames(path: Path) -> Iterator[ByteArray]:
    """Decodes a video frame by frame: RGB (H, W, 3), turned as the file says.

    Raises:
        RequestError: the file is missing, no video or damaged.
    """
    with _opened(path) as (container, stream):
        for frame in container.decode(stream):
            turns = round(frame.rotation / _QUARTER)
            picture: ByteArray = frame.to_ndarray(format="rgb24")
            yield np.rot90(picture, turns) if turns else picture


@contextlib.contextmanager
def _opened(path: Path) -> Iterator[tuple[Any, Any]]:
    import av

    _check_is_file(path)
    try:
        with av.open(str(path)) as container:
            if not container.streams.video:
                raise RequestError(f"{path} has no video in it.")
            stream = container.streams.video[0]
            stream.thread_type = "AUTO"
            yield container, stream
    except av.FFmpegError as error:
        raise RequestError(f"{path} cannot be read as a video: {error.strerror}.") from error


def _check_is_file(path: Path) -> None:
    if path.is_dir():
        raise RequestError(f"The video {path} is a folder: name a file in it.")
    if not path.exists():
        raise RequestError(f"There is no video {path}.")
    if not path.is_file():  # a pipe would be waited for without end
        raise RequestError(f"The video {path} is no regular file.")
