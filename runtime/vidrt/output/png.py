"""Single frames as PNG, lossless."""

import tempfile
from pathlib import Path

from vidrt.output.clip import Frames, check_clip
from vidrt.output.errors import OutputError
from vidrt.output.paths import check_output_dir

# zlib's 6 takes up to twice as long for files that are hardly smaller
_LEVEL = 4


def write_png_frames(folder: Path, frames: Frames, prefix: str = "frame_") -> None:
    """Writes `frame_0000.png` and so on: all of them, or none.

    Args:
        folder: Made where it is missing.
        frames: uint8 (F, H, W, 3), RGB.
        prefix: What each name begins with.

    Raises:
        OutputError: The folder or a file in it cannot be written.
        ValueError: frames are not what they should be.
    """
    check_clip(frames, fps=1)
    check_output_dir(folder)
    folder.mkdir(parents=True, exist_ok=True)
    try:
        with tempfile.TemporaryDirectory(dir=folder, prefix=".") as staging:
            _write_all(Path(staging), frames, prefix)
            for file in sorted(Path(staging).iterdir()):
                file.replace(folder / file.name)
    except OSError as error:
        raise OutputError(f"the frames could not be written to {folder}: {error.strerror or error}") from error


def _write_all(folder: Path, frames: Frames, prefix: str) -> None:
    import imageio.v3

    for index, frame in enumerate(frames):
        name = f"{prefix}{index:04d}.png"
        imageio.v3.imwrite(folder / name, frame, plugin="pillow", compress_level=_LEVEL)
