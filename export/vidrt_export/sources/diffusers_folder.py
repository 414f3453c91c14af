"""A folder that diffusers saved, of any family: a folder for each component and model_index.json at the top."""

from pathlib import Path

from vidrt_engines.names import Family
from vidrt_reference.checkpoint.errors import CheckpointError

from vidrt_export.sources.checkpoint import Checkpoint
from vidrt_export.sources.ltx_folder import read_ltx_folder
from vidrt_export.sources.model_index import PIPELINES, pipeline_class
from vidrt_export.sources.svd_folder import read_svd_folder
from vidrt_export.sources.text_encoder import T5Choice


def read_diffusers_folder(
    folder: Path,
    version: str | None = None,
    family: Family | None = None,
    *,
    title: str | None = None,
    t5: T5Choice | None = None,
) -> Checkpoint:
    """Looks at a folder: configurations, headers, every key; hardly a weight.

    Args:
        folder: the one that holds model_index.json.
        version: the version of LTX-Video, where the caller knows it.
        family: the family, where the caller knows it.
        title: what tells the version of LTX-Video, by default the folder's name.
        t5: which text encoder of LTX-Video is asked for.

    Raises:
        CheckpointError: what is missing, damaged, of the wrong shape or not supported.
    """
    name = pipeline_class(folder)
    if family is not None and family is not PIPELINES[name]:
        raise CheckpointError(f"{folder} is of a {name}, which is {PIPELINES[name]} and not {family}.")
    if PIPELINES[name] is Family.LTX_VIDEO:
        return read_ltx_folder(folder, version, title=title, t5=t5)
    if version is not None:
        raise CheckpointError(f"{folder} is of a {name}: a version of LTX-Video does not concern it.")
    if t5 is not None and t5 != T5Choice():
        raise CheckpointError(f"{folder} is of a {name}, which has no text encoder: leave the T5 out.")
    return read_svd_folder(folder)
