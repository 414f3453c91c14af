"""A finished video."""

import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from vidrt.output.clip import Frames, check_clip
from vidrt.output.errors import OutputError
from vidrt.output.gif import write_gif
from vidrt.output.mp4 import write_mp4

_WRITERS: dict[str, Callable[[Path, Frames, float], None]] = {".gif": write_gif, ".mp4": write_mp4}


@dataclass(frozen=True, kw_only=True, eq=False)
class Video:
    """Frames, their rate and how they came about.

    Attributes:
        frames: uint8 (F, H, W, 3), RGB.
        fps: Frames in a second.
        record: All that repeats the run.

    Raises:
        ValueError: frames or fps are not what they should be.
    """

    frames: Frames
    fps: float
    record: Mapping[str, object] = field(default_factory=dict, repr=False)

    def __post_init__(self) -> None:
        check_clip(self.frames, self.fps)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Writes the video in the format that the ending names, .gif or .mp4: the whole file or none.

        Raises:
            OutputError: The ending is another, or the file cannot be written.
        """
        path = Path(path)
        writer = _WRITERS.get(path.suffix.lower())
        if writer is None:
            known = " or ".join(_WRITERS)
            raise OutputError(f"{path} names no format that a video can be saved in: its ending is to be {known}")
        writer(path, self.frames, self.fps)


@dataclass(frozen=True, kw_only=True, eq=False)
class StreamedVideo:
    """A video that is still being decoded.

    Attributes:
        parts: its frames as they come, uint8 (some, H, W, 3), RGB; to be taken once, and before the next video's.
        fps: Frames in a second.
        record: All that repeats the run.
    """

    parts: Iterator[Frames]
    fps: float
    record: Mapping[str, object] = field(default_factory=dict, repr=False)
