"""What a pipeline takes and what it hands out on the way."""

import functools
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypedDict

import numpy as np

from vidrt.arrays import FloatArray
from vidrt.cuda.arrays import MixedArray
from vidrt.noise.base import Generator
from vidrt.pipelines.latents import LatentGrid
from vidrt.pipelines.ltx_video.passes import Pass
from vidrt.pipelines.ltx_video.request import PromptEmbeddings, Run
from vidrt.pipelines.ltx_video.step_cache import CachedPass
from vidrt.pipelines.svd.request import SvdRun
from vidrt.sessions.base import check_outputs

if TYPE_CHECKING:
    from collections.abc import Sequence

    from vidrt.conditioning.item import Condition
    from vidrt.images.read import ImageSource


class Options(TypedDict, total=False):
    """What a run can be asked for, and what may be given ready made; each family knows some, and refuses the others.

    `Request` says what LTX-Video's mean, `SvdRequest` what Stable Video Diffusion's do.
    """

    prompt: str | None
    negative_prompt: str | None
    height: int | None
    width: int | None
    num_frames: int | None
    fps: float | None
    num_videos: int
    num_inference_steps: int | None
    guidance_scale: float | None
    stg_scale: float | None
    rescaling_scale: float | None
    stg_mode: str
    seed: int | None
    generator: str
    ltxv_version: str | None
    single_pass: bool
    compat: str
    conditions: "Sequence[Condition]"
    step_cache: float | str
    embeddings: PromptEmbeddings | None
    latents: FloatArray | None
    image: "ImageSource | None"
    motion_bucket_id: int
    noise_aug_strength: float
    min_guidance_scale: float
    max_guidance_scale: float
    decode_chunk_size: int | None
    resize_mode: str | None


@dataclass(frozen=True, kw_only=True, eq=False)
class Step:
    """Where a run stands after a step.

    Attributes:
        index: how many steps are done.
        total: how many there are.
        sigma: the noise level that is left.
        state: the latents where the denoiser left them; read `latents`.
    """

    index: int
    total: int
    sigma: float
    state: MixedArray

    @functools.cached_property
    def latents(self) -> FloatArray:
        """The latents, brought to the host at the first look: LTX-Video's tokens (B, S, C), SVD's (B, F, C, h, w).

        Raises:
            EngineError: values that are no numbers, or were on a GPU and went with their pipeline.
        """
        return self._on_host()

    def _on_host(self) -> FloatArray:
        if isinstance(self.state, np.ndarray):
            return self.state  # checked when the session gave it
        values: FloatArray = np.asarray(self.state)
        check_outputs({"velocity": values}, "transformer")
        return values


@dataclass(frozen=True, kw_only=True, eq=False)
class DenoisingStep(Step):
    """A step of LTX-Video; its latents are normalised tokens (B, S, C), those of the video alone.

    Attributes:
        run: what is being made.
        part: the pass that the step belongs to.
        grid: the latents' frames, rows and columns.
        extra: how many tokens of conditions are in front of the state.
        generators: the run's random streams as they stand; decoding draws from copies.
        cached: what the step cache did so far, in each pass that has one.
    """

    run: Run
    part: Pass
    grid: LatentGrid
    extra: int = 0
    generators: tuple[Generator, Generator]
    cached: tuple[CachedPass, ...] = ()

    @functools.cached_property
    def latents(self) -> FloatArray:
        """The latents, brought to the host at the first look: tokens (B, S, C).

        Raises:
            EngineError: values that are no numbers, or were on a GPU and went with their pipeline.
        """
        return self._on_host()[:, self.extra :]


@dataclass(frozen=True, kw_only=True, eq=False)
class SvdStep(Step):
    """A step of Stable Video Diffusion; its latents are (B, F, C, h, w).

    Attributes:
        run: what is being made.
    """

    run: SvdRun
