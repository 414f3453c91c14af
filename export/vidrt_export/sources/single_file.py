"""One file that holds a whole model, recognised by the names of its tensors."""

from collections.abc import Mapping
from pathlib import Path

from vidrt_engines.names import Family
from vidrt_reference.checkpoint.errors import CheckpointError
from vidrt_reference.checkpoint.keys import below, some
from vidrt_reference.checkpoint.stored import StoredTensor, read_header
from vidrt_reference.svd.original.file import is_original as is_svd

from vidrt_export.sources.checkpoint import Checkpoint
from vidrt_export.sources.known import Known
from vidrt_export.sources.svd_file import read_svd_file

WRAPPERS = ("state_dict.", "module.", "model.")


def read_single_file(path: Path, known: Known) -> Checkpoint:
    """Looks at a file: its header, every key; hardly a weight.

    Raises:
        CheckpointError: what is missing, damaged, of the wrong shape or not supported.
    """
    stored = _unwrapped(path, read_header(path))
    if known.family not in {None, Family.SVD}:
        raise CheckpointError(f"{path} is a file of {Family.SVD.spoken} and not of {known.family.spoken}.")
    if known.version is not None:
        raise CheckpointError(f"{path} is of {Family.SVD.spoken}: a version of LTX-Video does not concern it.")
    return read_svd_file(path, stored, known.num_frames)


def _unwrapped(path: Path, stored: Mapping[str, StoredTensor]) -> Mapping[str, StoredTensor]:
    """The tensors without the word that a trainer may have put in front of all of them."""
    for _ in range(len(WRAPPERS) + 1):
        if is_svd(stored):
            return stored
        wrapper = next((one for one in WRAPPERS if stored and all(name.startswith(one) for name in stored)), None)
        if wrapper is None:
            break
        stored = below(wrapper, stored)
    raise CheckpointError(
        f"Expected a model that is supported in {path}, but its tensors are of another kind ({some(stored)}): "
        f"give an original file of LTX-Video or Stable Video Diffusion, or a folder that diffusers saved."
    )
