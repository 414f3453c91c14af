"""Plays video diffusion bundles without PyTorch.

    from vidrt import load_pipeline

    with load_pipeline("demo:ltx-video") as pipeline:
        pipeline(prompt="…", seed=0).save("out.mp4")

Names are looked up on first use, so that `import vidrt` costs next to nothing.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from vidrt_engines.errors import BundleError

    from vidrt.conditioning.item import Condition
    from vidrt.errors import DeviceError, EngineError, MissingExtraError, RequestError
    from vidrt.output.errors import OutputError
    from vidrt.output.video import Video
    from vidrt.pipelines.load import load_pipeline
    from vidrt.pipelines.ltx_video.pipeline import LtxVideoPipeline
    from vidrt.pipelines.ltx_video.request import PromptEmbeddings
    from vidrt.pipelines.options import DenoisingStep

_HOMES = {
    "BundleError": "vidrt_engines.errors",
    "Condition": "vidrt.conditioning.item",
    "DenoisingStep": "vidrt.pipelines.options",
    "DeviceError": "vidrt.errors",
    "EngineError": "vidrt.errors",
    "LtxVideoPipeline": "vidrt.pipelines.ltx_video.pipeline",
    "MissingExtraError": "vidrt.errors",
    "OutputError": "vidrt.output.errors",
    "PromptEmbeddings": "vidrt.pipelines.ltx_video.request",
    "RequestError": "vidrt.errors",
    "Video": "vidrt.output.video",
    "load_pipeline": "vidrt.pipelines.load",
}

__all__ = [
    "BundleError",
    "Condition",
    "DenoisingStep",
    "DeviceError",
    "EngineError",
    "LtxVideoPipeline",
    "MissingExtraError",
    "OutputError",
    "PromptEmbeddings",
    "RequestError",
    "Video",
    "load_pipeline",
]


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module 'vidrt' has no attribute '{name}'")
    from importlib import import_module

    return getattr(import_module(_HOMES[name]), name)
