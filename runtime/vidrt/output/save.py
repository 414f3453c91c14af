"""The files of a run: videos in the formats asked for and the record beside them."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from vidrt.output.errors import OutputError
from vidrt.output.mp4 import write_mp4
from vidrt.output.png import write_png_frames
from vidrt.output.record import write_record
from vidrt.output.video import StreamedVideo, Video


def check_results_free(folder: Path) -> None:
    """Refuses folders in the places of files, before anything is computed.

    Raises:
        OutputError: a folder bears the name of a result.
    """
    for name in ("video.gif", "video.mp4", "video.json"):
        if (folder / name).is_dir():
            raise OutputError(f"{folder / name} is a folder, and a file is to be written there: move it away.")


def save_videos(videos: Sequence[Video], folder: Path, formats: Sequence[str]) -> Iterator[Path]:
    """Writes videos and their records, and tells each path once it is written.

    One video is `video.gif`, `video.mp4`, `frame_0000.png` …; of several, each has a number in the stem of its name.

    Args:
        videos: what to write.
        folder: where to; made where it is missing.
        formats: of gif, mp4 and frames.

    Raises:
        OutputError: a file cannot be written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for number, video in enumerate(videos):
        suffix = f"_{number}" if len(videos) > 1 else ""
        yield from _save(video, folder, suffix, formats)


def save_streamed(videos: Iterator[StreamedVideo], count: int, folder: Path) -> Iterator[Path]:
    """Writes `count` videos as MP4, each frame as it comes, and their records; names as in `save_videos`.

    Raises:
        OutputError: a file cannot be written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for number, video in enumerate(videos):
        suffix = f"_{number}" if count > 1 else ""
        path = folder / f"video{suffix}.mp4"
        write_mp4(path, (frame for part in video.parts for frame in part), video.fps)
        yield path
        write_record(folder / f"video{suffix}.json", video.record)
        yield folder / f"video{suffix}.json"


def _save(video: Video, folder: Path, suffix: str, formats: Sequence[str]) -> Iterator[Path]:
    for ending in ("gif", "mp4"):
        if ending in formats:
            path = folder / f"video{suffix}.{ending}"
            video.save(path)
            yield path
    if "frames" in formats:
        prefix = f"frame{suffix}_"
        write_png_frames(folder, video.frames, prefix)
        yield folder / f"{prefix}0000.png"
    write_record(folder / f"video{suffix}.json", video.record)
    yield folder / f"video{suffix}.json"
