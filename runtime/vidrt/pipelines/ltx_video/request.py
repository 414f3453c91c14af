"""What LTX-Video is asked for, and a run with nothing left open."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from vidrt_engines.guidance import StgMode
from vidrt_engines.names import Compat

from vidrt.arrays import FloatArray
from vidrt.conditioning.item import Condition, SettledCondition
from vidrt.noise.choice import CPU
from vidrt.pipelines.ltx_video.conventions import Conventions
from vidrt.pipelines.ltx_video.passes import Pass

if TYPE_CHECKING:
    from vidrt.conditioning.media import MediaSource


@dataclass(frozen=True, kw_only=True)
class Request:
    """A run as the user asks for it; None means the default of the bundle or of the model version.

    Attributes:
        single_pass: of a version of two passes only the first, as a preview of its size.
        image: a picture that the video begins with: the same as a condition at frame 0.
        conditions: pictures and videos that the video should show, where and how strongly they say.
        step_cache: auto, off, or how far a velocity may have changed, relative L2, and still be guessed.
    """

    prompt: str | None = None
    negative_prompt: str | None = None
    height: int | None = None
    width: int | None = None
    num_frames: int | None = None
    fps: float | None = None
    num_videos: int = 1
    num_inference_steps: int | None = None
    guidance_scale: float | None = None
    stg_scale: float | None = None
    rescaling_scale: float | None = None
    stg_mode: StgMode | str = StgMode.ATTENTION_VALUES
    seed: int | None = None
    generator: str = CPU
    ltxv_version: str | None = None
    single_pass: bool = False
    compat: Compat | str = Compat.OFFICIAL
    image: "MediaSource | None" = None
    conditions: Sequence[Condition] = ()
    step_cache: float | str = "off"


@dataclass(frozen=True, kw_only=True)
class PromptEmbeddings:
    """Embeddings given instead of prompts: each (1, L, D), without padding; the negative one only for guidance."""

    positive: FloatArray
    negative: FloatArray | None = None


@dataclass(frozen=True, kw_only=True)
class Run:
    """A request with nothing left open."""

    prompt: str
    negative_prompt: str
    height: int
    width: int
    num_frames: int
    fps: float
    num_videos: int
    num_inference_steps: int
    seed: int
    generator: str
    ltxv_version: str
    single_pass: bool
    compat: Compat
    conventions: Conventions
    passes: tuple[Pass, ...]
    conditions: tuple[SettledCondition, ...] = ()
    step_cache: float | str = "off"

    @property
    def kept_steps(self) -> int:
        """The steps that are made, in all passes: all but those that the schedules skip."""
        return sum(part.kept_steps for part in self.passes)
