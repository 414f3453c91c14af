"""Whose rules a condition follows."""

from enum import StrEnum

from vidrt_engines.names import Compat

from vidrt.pipelines.ltx_video.conventions import CONDITION_PIPELINE


class ConditionRules(StrEnum):
    """How conditions become latents, by the code that is followed.

    The official code and diffusers' LTXConditionPipeline differ in how they prepare frames and in where the encoder's
    noise comes from; LTXImageToVideoPipeline knows one picture, which is the first frame and stays as it is.
    """

    OFFICIAL = "official"
    CONDITION = CONDITION_PIPELINE
    IMAGE_TO_VIDEO = "LTXImageToVideoPipeline"


def condition_rules(compat: Compat, pipeline_class: str) -> ConditionRules:
    """The rules of a run; `pipeline_class` is what the checkpoint names, and LTXPipeline has a sibling for pictures."""
    if compat is Compat.OFFICIAL:
        return ConditionRules.OFFICIAL
    return ConditionRules.CONDITION if pipeline_class == CONDITION_PIPELINE else ConditionRules.IMAGE_TO_VIDEO
