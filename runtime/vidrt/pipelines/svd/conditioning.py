"""What the network of Stable Video Diffusion is told besides the noisy latents, and the noise of a run.

Where a run is guided, a batch is its unconditional half and then its conditional one: (2·B, …). The unconditional half
has no picture, neither as an embedding nor as latents, but the same numbers.
"""

from dataclasses import dataclass

import numpy as np
from vidrt_engines.svd_settings import SvdSettings

from vidrt.arrays import ByteArray, FloatArray
from vidrt.images.clip import clip_pixels
from vidrt.images.resize import fit_image, signed
from vidrt.noise.base import Generator
from vidrt.pipelines.svd.request import SvdRun
from vidrt.schedulers.euler_karras import scaled_input


@dataclass(frozen=True, kw_only=True, eq=False)
class SvdPictures:
    """A picture as the two encoders take it: `vae` (1, 3, height, width) in [-1, 1], `clip` (1, 3, 224, 224)."""

    vae: FloatArray
    clip: FloatArray


@dataclass(frozen=True, kw_only=True, eq=False)
class SvdNoise:
    """Standard normal numbers of a run: `image` (1, 3, height, width), `latents` (B, F, C, rows, columns)."""

    image: FloatArray
    latents: FloatArray


def prepare_pictures(image: ByteArray, run: SvdRun, settings: SvdSettings) -> SvdPictures:
    """Brings RGB (H, W, 3) to the sizes and values that the encoders take."""
    fitted = fit_image(image, run.height, run.width, run.resize_mode)
    seen = image if run.clip_sees_whole else fitted
    clip = clip_pixels(seen, settings.image_size, settings.image_mean, settings.image_std)
    return SvdPictures(vae=signed(fitted), clip=clip)


def draw_noise(generator: Generator, run: SvdRun, settings: SvdSettings) -> SvdNoise:
    """Draws in diffusers' order: first the picture's noise, one for all videos and even where it counts for nothing."""
    image = generator.normal((1, 3, run.height, run.width))
    step = settings.spatial_compression
    sides = run.height // step, run.width // step
    latents = generator.normal((run.num_videos, run.num_frames, settings.latent_channels, *sides))
    return SvdNoise(image=image, latents=latents)


def augmented(picture: FloatArray, noise: FloatArray, strength: float) -> FloatArray:
    """The picture with noise, as it goes to the VAE's encoder; (1, 3, H, W) all."""
    return picture + np.float32(strength) * noise


def added_time_ids(run: SvdRun, *, guided: bool) -> FloatArray:
    """Frames per second less one, motion bucket and augmentation for each video: (B, 3), or (2·B, 3)."""
    ids = np.array([[run.fps - 1, run.motion_bucket_id, run.noise_aug_strength]], np.float32)
    return np.repeat(ids, run.num_videos * (2 if guided else 1), axis=0)


def image_embeddings(embedding: FloatArray, videos: int, *, guided: bool) -> FloatArray:
    """CLIP's embedding (1, D) for each video: (B, 1, D), or (2·B, 1, D)."""
    return _with_nothing(np.repeat(embedding[:, None], videos, axis=0), guided=guided)


def image_latents(mode: FloatArray, videos: int, frames: int, *, guided: bool) -> FloatArray:
    """The picture's latents, the mode (1, C, H, W) as encoded, for each frame: (B, F, C, H, W), or (2·B, …)."""
    each = np.broadcast_to(mode[:, None], (videos, frames, *mode.shape[1:]))
    return _with_nothing(each, guided=guided)


def unet_sample(latents: FloatArray, sigma: np.float32, picture: FloatArray) -> FloatArray:
    """What the UNet denoises.

    Args:
        latents: (B, F, C, H, W) with noise of the level `sigma`.
        sigma: that level.
        picture: of `image_latents`, (B, F, C, H, W) or (2·B, F, C, H, W).

    Returns:
        The scaled latents, twice where `picture` is, and the picture's behind them in the channels: (…, F, 2·C, H, W).
    """
    scaled = scaled_input(latents, sigma)
    return np.concatenate([np.concatenate([scaled] * (len(picture) // len(scaled))), picture], axis=2)


def _with_nothing(values: FloatArray, *, guided: bool) -> FloatArray:
    return np.concatenate([np.zeros_like(values), values]) if guided else np.ascontiguousarray(values)
