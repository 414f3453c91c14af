"""What a bundle of Stable Video Diffusion says of its pipeline."""

from dataclasses import dataclass, field


@dataclass(frozen=True, kw_only=True)
class SvdDefaults:
    """What `vidrt generate` takes where nothing is asked; the number of frames is the model's own."""

    height: int = 576
    width: int = 1024
    num_frames: int = 14
    fps: float = 7.0
    num_inference_steps: int = 25


@dataclass(frozen=True, kw_only=True)
class KarrasSettings:
    """The part of scheduler_config.json that the pipeline uses: Karras' noise levels."""

    sigma_min: float = 0.002
    sigma_max: float = 700.0


@dataclass(frozen=True, kw_only=True)
class SvdSettings:
    """The pipeline of a Stable Video Diffusion checkpoint.

    Attributes:
        pipeline_class: diffusers' class, from model_index.json.
        scheduler: the checkpoint's own.
        latent_channels: C of the latents.
        spatial_compression: pixels for each latent, along each side.
        size_step: what height and width must be divisible by.
        scaling_factor: what latents are divided by before they are decoded.
        image_size: rows and columns that the image encoder sees.
        image_mean, image_std: how its input is normalised, one entry a channel.
        embedding_width: of the image's embedding.
        defaults: what a run takes where nothing is asked.
    """

    pipeline_class: str
    scheduler: KarrasSettings
    latent_channels: int
    spatial_compression: int
    size_step: int
    scaling_factor: float
    image_size: int
    image_mean: tuple[float, ...]
    image_std: tuple[float, ...]
    embedding_width: int
    defaults: SvdDefaults = field(default_factory=SvdDefaults)

    @property
    def frame_step(self) -> int:
        """Frames for each latent beyond the first: any number of frames will do."""
        return 1
