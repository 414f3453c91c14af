"""What a pipeline takes and what it hands out on the way."""

import functools
from dataclasses import dataclass
from typing import TypedDict

import numpy as np

from vidrt.arrays import FloatArray
from vidrt.cuda.arrays import MixedArray
from vidrt.noise.base import Generator
from vidrt.pipelines.latents import LatentGrid
from vidrt.pipelines.request import PromptEmbeddings, Run
from vidrt.sessions.base import check_outputs


class Options(TypedDict, total=False):
    """What a run can be asked for, as `Request` has it, and what may be given ready made."""

    prompt: str | None
    negative_prompt: str | None
    height: int | None
    width: int | None
    num_frames: int | None
    fps: float | None
    num_videos: int
    num_inference_steps: int | None
    guidance_scale: float | None
    seed: int | None
    generator: str
    ltxv_version: str | None
    compat: str
    embeddings: PromptEmbeddings | None
    latents: FloatArray | None


@dataclass(frozen=True, kw_only=True, eq=False)
class DenoisingStep:
    """Where a run stands after a step.

    Attributes:
        index: how many steps are done.
        total: how many there are.
        sigma: the noise level that is left.
        state: the latents where the transformer left them; read `latents`.
        run: what is being made.
        grid: the latents' frames, rows and columns.
        generators: the run's random streams as they stand; decoding draws from copies.
    """

    index: int
    total: int
    sigma: float
    state: MixedArray
    run: Run
    grid: LatentGrid
    generators: tuple[Generator, Generator]

    @functools.cached_property
    def latents(self) -> FloatArray:
        """Tokens (B, S, C), normalised, brought to the host at the first look.

        Raises:
            EngineError: values that are no numbers, or were on a GPU and went with their pipeline.
        """
        if isinstance(self.state, np.ndarray):
            return self.state  # checked when the session gave it
        values: FloatArray = np.asarray(self.state)
        check_outputs({"velocity": values}, "transformer")
        return values
