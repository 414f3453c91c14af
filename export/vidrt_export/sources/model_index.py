"""model_index.json: of which pipeline a folder is that diffusers saved."""

from pathlib import Path

from vidrt_engines.names import Family
from vidrt_reference.checkpoint.errors import CheckpointError
from vidrt_reference.checkpoint.folder import read_json_object

MODEL_INDEX = "model_index.json"
PIPELINES = {
    "LTXPipeline": Family.LTX_VIDEO,
    "LTXImageToVideoPipeline": Family.LTX_VIDEO,
    "LTXConditionPipeline": Family.LTX_VIDEO,
    "StableVideoDiffusionPipeline": Family.SVD,
}


def pipeline_class(folder: Path) -> str:
    """The name of the pipeline's class.

    Raises:
        CheckpointError: there is no such file, it is damaged, or of a pipeline that is not known here.
    """
    path = folder / MODEL_INDEX
    if not path.is_file():
        raise CheckpointError(f"{folder} has no {MODEL_INDEX}: give the folder that diffusers' save_pretrained wrote.")
    name = read_json_object(path).get("_class_name")
    if not isinstance(name, str):
        raise CheckpointError(f"{path} does not name its _class_name: download it again.")
    if name not in PIPELINES:
        raise CheckpointError(f"{path} is of a {name}, and the pipelines known here are {', '.join(PIPELINES)}.")
    return name
