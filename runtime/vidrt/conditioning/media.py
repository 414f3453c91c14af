"""What a condition shows: a picture, or the frames of a video, from a file or from memory."""

import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from vidrt.arrays import ByteArray
from vidrt.conditioning.video_file import VIDEO_SUFFIXES, check_video, count_frames, video_frames
from vidrt.errors import RequestError
from vidrt.images.read import ImageSource, load_image

if TYPE_CHECKING:
    from PIL.Image import Image

MediaSource: TypeAlias = "ImageSource | Sequence[Image] | Sequence[ByteArray]"
"""A file; a picture of pillow's or bytes (H, W, 3); a sequence of such pictures, or bytes (F, H, W, 3)."""

_VIDEO_AXES = 4


@dataclass(frozen=True, kw_only=True, eq=False)
class Media:
    """A picture or a video that has been found.

    Attributes:
        name: as messages call it.
        frames: how many there are; 1 for a picture.
        opened: gives the frames, RGB (H, W, 3) each, from the first on.
        path: of a video file, None for pictures, which are in memory.
    """

    name: str
    frames: int
    opened: Callable[[], Iterator[ByteArray]]
    path: Path | None = None

    def check(self, count: int) -> None:
        """Makes sure that the first frames can be decoded.

        Raises:
            RequestError: the file is damaged.
        """
        if self.path is not None:
            check_video(self.path, count)

    def read(self, count: int) -> Iterator[ByteArray]:
        """Decodes the first frames, one at a time: RGB (H, W, 3), all of one size.

        Raises:
            RequestError: the file is damaged.
        """
        return islice(self.opened(), count)


def open_media(source: MediaSource) -> Media:
    """Finds out what a source is and how many frames it has; of a video file no frame is decoded.

    Raises:
        RequestError: the source is missing, is no picture or video, or is damaged.
    """
    if isinstance(source, (str, os.PathLike)):
        path = Path(source)
        if path.suffix.lower() in VIDEO_SUFFIXES:
            return Media(name=str(path), frames=count_frames(path), opened=lambda: video_frames(path), path=path)
        return _pictures(str(path), [load_image(path)])
    if isinstance(source, Sequence) or (isinstance(source, np.ndarray) and source.ndim == _VIDEO_AXES):
        return _pictures("The sequence of pictures", [load_image(picture) for picture in source])
    return _pictures("The picture", [load_image(source)])


def _pictures(name: str, pictures: Sequence[ByteArray]) -> Media:
    if not pictures:
        raise RequestError(f"{name} is empty: give one picture or more.")
    sizes = sorted({(picture.shape[1], picture.shape[0]) for picture in pictures})
    if len(sizes) > 1:
        found = ", ".join(f"{width}×{height}" for width, height in sizes)
        raise RequestError(f"{name} has several sizes ({found}): bring them to one.")
    return Media(name=name, frames=len(pictures), opened=lambda: iter(pictures))
