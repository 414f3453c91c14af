"""Where a command's files go and what it runs on, found out before anything is computed."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import click

from vidrt.devices import parse_device
from vidrt.errors import RequestError
from vidrt.output.errors import OutputError
from vidrt.output.paths import check_output_dir, check_output_file
from vidrt.output.save import check_results_free, save_streamed, save_videos
from vidrt.output.video import Video
from vidrt.pipelines.ltx_video.final_latents import FinalLatents
from vidrt.pipelines.ltx_video.pipeline import LtxVideoPipeline


def formats_of(options: Mapping[str, Any]) -> tuple[str, ...]:
    """The formats that were asked for, or GIF."""
    asked = tuple(name for name in ("gif", "mp4", "frames") if options[name])
    return asked or ("gif",)


def is_streamed(formats: Sequence[str]) -> bool:
    """Whether each frame is written as it comes: an MP4 alone needs no frame twice."""
    return tuple(formats) == ("mp4",)


def check_places(options: Mapping[str, Any], kept: Path | None = None) -> None:
    """Finds out that results can be written.

    Args:
        options: of the command.
        kept: the file for latents, which may lie in the output folder before that is there.

    Raises:
        RequestError: they cannot.
    """
    folder = options["output_dir"]
    try:
        check_output_dir(folder)
        check_results_free(folder)
        if kept is not None and (kept.parent.resolve() != folder.resolve() or kept.is_dir()):
            check_output_file(kept)
    except OutputError as error:
        raise RequestError(str(error)) from error


def device_of(options: Mapping[str, Any]) -> str:
    """The device that was asked for.

    Raises:
        RequestError: --cpu beside another, or no such device.
    """
    if options["cpu"] and options["device"] not in {"auto", "cpu"}:
        raise RequestError(f"--cpu and --device {options['device']} contradict each other.")
    return str(parse_device("cpu" if options["cpu"] else str(options["device"])))


def write_decoded(
    pipeline: LtxVideoPipeline, final: FinalLatents, options: Mapping[str, Any], formats: Sequence[str]
) -> None:
    """Decodes and writes videos; where only an MP4 is asked for, each frame is written as it comes."""
    if not is_streamed(formats):
        write_videos(pipeline.decode_final(final), options, formats)
        return
    for path in save_streamed(pipeline.stream_final(final), len(final.latents), options["output_dir"]):
        if not options["quiet"]:
            click.echo(path)


def write_videos(videos: Iterable[Video], options: Mapping[str, Any], formats: Sequence[str]) -> None:
    """Writes videos into the output folder and prints the files' names."""
    for path in save_videos(list(videos), options["output_dir"], formats):
        if not options["quiet"]:
            click.echo(path)
