"""The UNet and the image encoder, trained together on noise levels of a logarithmic normal distribution."""

from pathlib import Path

import numpy as np
import torch
from diffusers.pipelines.stable_video_diffusion.pipeline_stable_video_diffusion import _resize_with_antialiasing
from torch.nn.functional import mse_loss
from transformers import CLIPImageProcessor

from training.loop import generator, run_phase
from training.svd import config
from training.svd.denoiser import Denoiser
from training.svd.latents import bucket_of, first_frame, random_clip, ways
from training.svd.vae import to_tensor

_BATCHES, _NOISE = 51, 52  # streams of random numbers
_LOG_SIGMA = (0.8, 1.6)  # mean and deviation
_MOST_AUGMENTATION = 0.05
_FPS = (4, 12)


def train_diffusion(latents: torch.Tensor, scaling_factor: float, work: Path, device: torch.device) -> Denoiser:
    """Trains on the unscaled latents of ways (N, F, C, h, w)."""
    torch.manual_seed(config.SEED)
    model, scenes = Denoiser().to(device), ways()

    def loss_of(step: int) -> tuple[torch.Tensor, dict[str, float]]:
        rng = np.random.default_rng((_BATCHES, step))
        random = generator(_NOISE, step, device)
        clips = [random_clip(rng) for _ in range(config.DIFFUSION_BATCH)]
        unscaled = torch.stack([latents[clip.way, clip.frames] for clip in clips]).to(device)
        clean = unscaled * scaling_factor
        sigma, noise = _sigmas(len(clips), random, device), _normal(clean, random)
        level = sigma.view(-1, 1, 1, 1, 1)
        strength = _uniform(len(clips), random, device) * _MOST_AUGMENTATION
        picture = unscaled[:, 0]
        picture = picture + (config.AUGMENTED_LATENTS * strength).view(-1, 1, 1, 1) * _normal(picture, random)
        buckets = [bucket_of(clip, scenes[clip.way]) for clip in clips]
        frames = np.stack([first_frame(clip, scenes[clip.way]) for clip in clips])
        kept = (_uniform(len(clips), random, device) >= config.PICTURE_DROPOUT).float()
        ids = torch.stack([_frame_rates(rng, len(clips)) - 1, torch.tensor(buckets), strength.cpu()], dim=1)
        noisy = clean + level * noise
        velocity = model(noisy, sigma, picture, clip_pixels(to_tensor(frames, device)), ids.float().to(device), kept)
        # what makes noisy / (sigma² + 1) - velocity · sigma / sqrt(sigma² + 1) the clean latents
        wanted = (noisy / (level.square() + 1) - clean) * (level.square() + 1).sqrt() / level
        return mse_loss(velocity, wanted), {}

    trained = run_phase(config.DIFFUSION_PHASE, model, loss_of, work)
    assert isinstance(trained, Denoiser)
    return trained


def clip_pixels(pictures: torch.Tensor) -> torch.Tensor:
    """Pictures (B, 3, H, W) in [-1, 1] as the pipeline gives them to the image encoder."""
    processor = CLIPImageProcessor()
    mean, std = (torch.tensor(values).view(1, 3, 1, 1) for values in (processor.image_mean, processor.image_std))
    resized = (_resize_with_antialiasing(pictures, (224, 224)) + 1) / 2
    return (resized - mean.to(pictures.device)) / std.to(pictures.device)


def _sigmas(count: int, random: torch.Generator, device: torch.device) -> torch.Tensor:
    mean, deviation = _LOG_SIGMA
    return (mean + deviation * torch.randn(count, generator=random, device=device)).exp()


def _normal(like: torch.Tensor, random: torch.Generator) -> torch.Tensor:
    return torch.randn(like.shape, generator=random, device=like.device)


def _uniform(count: int, random: torch.Generator, device: torch.device) -> torch.Tensor:
    return torch.rand(count, generator=random, device=device)


def _frame_rates(rng: np.random.Generator, count: int) -> torch.Tensor:
    """Any: what is told of it changes nothing in these clips."""
    return torch.from_numpy(rng.uniform(*_FPS, size=count))
