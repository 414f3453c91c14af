"""The public interface as its users write it; checked by mypy, never run."""

from pathlib import Path
from typing import assert_type

import numpy as np
from numpy.typing import NDArray
from vidrt import (
    BundleError,
    Condition,
    DenoisingStep,
    DeviceError,
    EngineError,
    LtxVideoPipeline,
    MissingExtraError,
    OutputError,
    PromptEmbeddings,
    RequestError,
    Video,
    load_pipeline,
)


def readme() -> None:
    """The README's example."""
    with load_pipeline("ltx-bundle", device="cpu") as pipeline:
        video = pipeline(prompt="A red fox runs through fresh snow", height=256, width=384, num_frames=25, seed=1)
        video.save("fox.mp4")


def video_of(pipeline: LtxVideoPipeline) -> NDArray[np.uint8]:
    """A call and what it gives."""
    video = pipeline(
        prompt="a cat", negative_prompt="blurry", height=512, width=768, num_frames=97, fps=25.0,
        num_inference_steps=40, guidance_scale=3.0, seed=0, ltxv_version="0.9.5", compat="diffusers",
    )  # fmt: skip
    assert_type(video, Video)
    assert_type(video.fps, float)
    video.save(Path("out.gif"))
    assert_type(pipeline.videos(num_videos=2), list[Video])
    return video.frames


def conditioned(pipeline: LtxVideoPipeline, before: Video) -> Video:
    """A video that goes on with another one and ends with a picture."""
    return pipeline(
        prompt="a cat", image="first.jpg",
        conditions=[Condition(media=before.frames[-25:]), Condition(media=Path("a.png"), frame=96, strength=0.8)],
    )  # fmt: skip


def steps_of(pipeline: LtxVideoPipeline) -> list[Video]:
    """The caller's own loop."""
    for step in pipeline.denoise(prompt="a cat"):
        assert_type(step, DenoisingStep)
        assert_type(step.sigma, float)
        if step.index == step.total // 2:
            return pipeline.decode(step)
    return []


def frames_of(pipeline: LtxVideoPipeline, latents: NDArray[np.float32]) -> NDArray[np.float32]:
    """A component alone."""
    frames: NDArray[np.float32] = pipeline.components["vae_decoder"](latents)
    named: NDArray[np.float32] = pipeline.components["vae_decoder"](latents=latents)
    return np.concatenate([frames, named])


def given(embeddings: NDArray[np.float32], latents: NDArray[np.float32]) -> Video | str:
    """Ready-made embeddings and latents, and every error by its cause."""
    try:
        with load_pipeline(
            Path("bundle"), device="cuda:1", backend="tensorrt", keep_loaded=True, memory_limit="8GiB"
        ) as pipeline:
            return pipeline(embeddings=PromptEmbeddings(positive=embeddings), latents=latents)
    except (BundleError, RequestError, DeviceError, MissingExtraError, EngineError, OutputError) as error:
        return str(error)
