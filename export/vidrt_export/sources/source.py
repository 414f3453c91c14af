"""What SOURCE may be: a folder that diffusers saved, or one file that holds a whole model."""

from pathlib import Path

from vidrt_engines.names import Family
from vidrt_reference.checkpoint.errors import CheckpointError

from vidrt_export.sources.checkpoint import Checkpoint
from vidrt_export.sources.diffusers_folder import read_diffusers_folder
from vidrt_export.sources.single_file import read_single_file


def read_source(
    path: Path, version: str | None = None, family: Family | None = None, num_frames: int | None = None
) -> Checkpoint:
    """Looks at a checkpoint, whatever its form on disk; hardly a weight is read.

    Args:
        path: a folder or a file.
        version: the version of LTX-Video, where the caller knows it.
        family: the family, where the caller knows it.
        num_frames: the frames that Stable Video Diffusion was trained on, where a single file's name does not say it.

    Raises:
        CheckpointError: what is missing, damaged, of the wrong shape or not supported.
    """
    if path.is_file():
        return read_single_file(path, version, family, num_frames)
    if not path.is_dir():
        raise CheckpointError(
            f"Expected a folder that diffusers saved or a .safetensors file at {path}, but there is none: "
            f"check the path."
        )
    if num_frames is not None:
        raise CheckpointError(f"{path} is a folder, whose unet/config.json has the frames: leave --num-frames out.")
    return read_diffusers_folder(path, version, family)
