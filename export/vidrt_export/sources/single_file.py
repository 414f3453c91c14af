"""One file that holds a whole model, recognised by the names of its tensors."""

from collections.abc import Callable, Mapping
from pathlib import Path

from vidrt_engines.names import Family
from vidrt_reference.checkpoint.errors import CheckpointError
from vidrt_reference.checkpoint.keys import below, some
from vidrt_reference.checkpoint.stored import StoredTensor, read_header
from vidrt_reference.ltx_video.original.file import is_original as is_ltx
from vidrt_reference.svd.original.file import is_original as is_svd

from vidrt_export.sources.checkpoint import Checkpoint
from vidrt_export.sources.known import Known
from vidrt_export.sources.ltx_file import read_ltx_file
from vidrt_export.sources.svd_file import read_svd_file
from vidrt_export.sources.text_encoder import T5Choice

_FAMILIES: Mapping[Family, Callable[[Mapping[str, StoredTensor]], bool]] = {
    Family.LTX_VIDEO: is_ltx,
    Family.SVD: is_svd,
}
WRAPPERS = ("state_dict.", "module.", "model.")


def read_single_file(path: Path, known: Known) -> Checkpoint:
    """Looks at a file: its header, every key; hardly a weight.

    Raises:
        CheckpointError: what is missing, damaged, of the wrong shape or not supported.
    """
    family, stored = _recognised(path, read_header(path))
    if known.family not in {None, family}:
        raise CheckpointError(f"{path} is a file of {family.spoken} and not of {known.family.spoken}.")
    if family is Family.LTX_VIDEO:
        if known.num_frames is not None:
            raise CheckpointError(f"{path} is of {family.spoken}, which makes any number: leave --num-frames out.")
        return read_ltx_file(path, stored, known)
    if known.version is not None:
        raise CheckpointError(f"{path} is of {family.spoken}: a version of LTX-Video does not concern it.")
    if known.t5 != T5Choice():
        raise CheckpointError(f"{path} is of {family.spoken}, which has no text encoder: leave the T5 out.")
    return read_svd_file(path, stored, known.num_frames)


def _recognised(path: Path, stored: Mapping[str, StoredTensor]) -> tuple[Family, Mapping[str, StoredTensor]]:
    """The family, and the tensors without the word that a trainer may have put in front of all of them."""
    for _ in range(len(WRAPPERS) + 1):
        family = next((family for family, knows in _FAMILIES.items() if knows(stored)), None)
        if family is not None:
            return family, stored
        wrapper = next((one for one in WRAPPERS if stored and all(name.startswith(one) for name in stored)), None)
        if wrapper is None:
            break
        stored = below(wrapper, stored)
    raise CheckpointError(
        f"Expected a model that is supported in {path}, but its tensors are of another kind ({some(stored)}): "
        f"give an original file of LTX-Video or Stable Video Diffusion, or a folder that diffusers saved."
    )
