"""What a bundle says of its pipeline: all that the runtime must know besides the engines."""

from dataclasses import dataclass, field

from vidrt_engines.schedule import Sampler, Shift


@dataclass(frozen=True, kw_only=True)
class Defaults:
    """What `vidrt generate` takes where nothing is asked; `prompt` None means that one must be given."""

    height: int = 512
    width: int = 768
    num_frames: int = 97
    fps: float = 25.0
    num_inference_steps: int | None = None
    prompt: str | None = None


@dataclass(frozen=True, kw_only=True)
class SchedulerSettings:
    """The part of the checkpoint's scheduler's configuration that LTX-Video uses.

    Attributes:
        sampler: the form of the schedule, which official files say and diffusers' scheduler_config.json does not.
    """

    sampler: Sampler | None = None
    shift: Shift | None = None
    static_shift: float = 1.0
    terminal: float | None = None
    stochastic: bool = False


@dataclass(frozen=True, kw_only=True)
class LtxSettings:
    """The pipeline of an LTX-Video checkpoint.

    Attributes:
        pipeline_class: diffusers' class, from model_index.json.
        scheduler: the checkpoint's own scheduler.
        latent_channels: C of the latents.
        spatial_compression, temporal_compression: pixels and frames for each latent.
        rope_width: the width of the rotary embedding, the transformer's inner width.
        latents_mean, latents_std, scaling_factor: the statistics of the latents, one entry a channel.
        timestep_conditioning: whether the VAE's decoder takes a timestep and noise.
        injected_noise: for each noise map of the decoder its scale against the latents' rows and columns.
        versions: the versions of LTX-Video that the files may be by their form; empty where that is not known.
        defaults: what a run takes where nothing is asked.
    """

    pipeline_class: str
    scheduler: SchedulerSettings
    latent_channels: int
    spatial_compression: int
    temporal_compression: int
    rope_width: int
    latents_mean: tuple[float, ...]
    latents_std: tuple[float, ...]
    scaling_factor: float = 1.0
    timestep_conditioning: bool = False
    injected_noise: tuple[int, ...] = ()
    versions: tuple[str, ...] = ()
    defaults: Defaults = field(default_factory=Defaults)

    @property
    def size_step(self) -> int:
        """What height and width must be divisible by."""
        return self.spatial_compression

    @property
    def frame_step(self) -> int:
        """Frames for each latent beyond the first: a video has this many times n and one."""
        return self.temporal_compression
