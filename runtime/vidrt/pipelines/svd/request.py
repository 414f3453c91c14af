"""What a run of Stable Video Diffusion is asked for, checked before any weight is read."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from vidrt_engines.names import Compat
from vidrt_engines.svd_settings import SvdSettings

from vidrt.errors import RequestError
from vidrt.images.resize import ResizeMode
from vidrt.noise.choice import CPU
from vidrt.pipelines.checks import (
    compat_of,
    count,
    generator_of,
    number_from,
    or_default,
    seed_of,
    side,
    whole_between,
)

if TYPE_CHECKING:
    from vidrt.images.read import ImageSource

MOTION_BUCKETS = 255  # the last one


@dataclass(frozen=True, kw_only=True, eq=False)
class SvdRequest:
    """A run as the user asks for it; None means the bundle's default, or what the convention has.

    Attributes:
        image: a file, pillow's image, or RGB (H, W, 3); the one thing that must be given.
        fps: what the network is told and the video is saved with.
        motion_bucket_id: how much moves, 0 to 255.
        noise_aug_strength: how much noise the picture gets before it is encoded.
        min_guidance_scale: of the first frame.
        max_guidance_scale: of the last.
        decode_chunk_size: frames decoded at once; None for all of a video.
        resize_mode: crop, stretch or pad; None for the convention's.
    """

    image: "ImageSource | None" = None
    height: int | None = None
    width: int | None = None
    num_frames: int | None = None
    fps: float | None = None
    num_videos: int = 1
    num_inference_steps: int | None = None
    motion_bucket_id: int = 127
    noise_aug_strength: float = 0.02
    min_guidance_scale: float = 1.0
    max_guidance_scale: float = 3.0
    decode_chunk_size: int | None = None
    resize_mode: ResizeMode | str | None = None
    seed: int | None = None
    generator: str = CPU
    compat: Compat | str = Compat.OFFICIAL


@dataclass(frozen=True, kw_only=True)
class SvdRun:
    """A request with nothing left open, but for how many frames fit into the decoder at once."""

    height: int
    width: int
    num_frames: int
    fps: float
    num_videos: int
    num_inference_steps: int
    motion_bucket_id: int
    noise_aug_strength: float
    min_guidance_scale: float
    max_guidance_scale: float
    decode_chunk_size: int | None
    resize_mode: ResizeMode
    seed: int
    generator: str
    compat: Compat

    @property
    def kept_steps(self) -> int:
        """How many steps are made."""
        return self.num_inference_steps

    @property
    def clip_sees_whole(self) -> bool:
        """Whether CLIP sees the picture as it came, not as the video begins with it."""
        return self.compat is Compat.DIFFUSERS

    @property
    def chunks_mix_videos(self) -> bool:
        """Whether frames are cut into chunks regardless of where a video ends, as diffusers does."""
        return self.compat is Compat.DIFFUSERS


def settle_svd(request: SvdRequest, settings: SvdSettings) -> SvdRun:
    """Checks a request and fills in what it leaves open; the picture itself is checked where it is read.

    Raises:
        RequestError: what cannot be right, in one sentence.
    """
    if request.image is None:
        raise RequestError("An image is needed: Stable Video Diffusion makes a video from a picture.")
    compat, defaults = compat_of(request.compat), settings.defaults
    chunk = request.decode_chunk_size
    steps = or_default(request.num_inference_steps, defaults.num_inference_steps)
    return SvdRun(
        height=side("height", or_default(request.height, defaults.height), settings.size_step),
        width=side("width", or_default(request.width, defaults.width), settings.size_step),
        num_frames=count("number of frames", or_default(request.num_frames, defaults.num_frames)),
        # the network is told one less
        fps=number_from("number of frames per second", or_default(request.fps, defaults.fps), 1),
        num_videos=count("number of videos", request.num_videos),
        num_inference_steps=count("number of steps", steps),
        motion_bucket_id=whole_between("motion bucket", request.motion_bucket_id, 0, MOTION_BUCKETS),
        noise_aug_strength=number_from("strength of the noise augmentation", request.noise_aug_strength, 0),
        min_guidance_scale=number_from("guidance scale of the first frame", request.min_guidance_scale, 0),
        max_guidance_scale=number_from("guidance scale of the last frame", request.max_guidance_scale, 0),
        decode_chunk_size=None if chunk is None else count("number of frames decoded at once", chunk),
        resize_mode=_resize_mode(request.resize_mode, compat),
        seed=seed_of(request.seed),
        generator=generator_of(request.generator),
        compat=compat,
    )


def _resize_mode(asked: str | None, compat: Compat) -> ResizeMode:
    if asked is None:
        return ResizeMode.STRETCH if compat is Compat.DIFFUSERS else ResizeMode.CROP
    if asked not in list(ResizeMode):
        raise RequestError(f"The resize mode should be one of {', '.join(ResizeMode)}, not {asked!r}.")
    return ResizeMode(asked)
