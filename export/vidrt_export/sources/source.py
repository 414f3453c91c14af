"""What SOURCE may be: a folder that diffusers saved, or one file that holds a whole model."""

from pathlib import Path

from vidrt_reference.checkpoint.errors import CheckpointError

from vidrt_export.sources.checkpoint import Checkpoint
from vidrt_export.sources.diffusers_folder import read_diffusers_folder
from vidrt_export.sources.known import Known
from vidrt_export.sources.single_file import read_single_file


def read_source(path: Path, known: Known | None = None) -> Checkpoint:
    """Looks at a checkpoint, whatever its form on disk; hardly a weight is read.

    Raises:
        CheckpointError: what is missing, damaged, of the wrong shape or not supported.
    """
    known = known or Known()
    if path.is_file():
        return read_single_file(path, known)
    if known.num_frames is not None:
        raise CheckpointError(f"{path} is a folder, whose unet/config.json has the frames: leave --num-frames out.")
    return read_diffusers_folder(path, known.version, known.family, title=known.title, t5=known.t5)
