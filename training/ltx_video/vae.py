"""The video autoencoder: first both halves on crops, then the decoder alone on whole frames."""

from pathlib import Path

import numpy as np
import torch
from diffusers import AutoencoderKLLTXVideo

from training.clips.batches import crop, draw_batch, random_scenes
from training.clips.draw import Bytes
from training.loop import generator, run_phase
from training.ltx_video import config

_CLIPS, _NOISE, _CROPS = 11, 12, 13  # streams of random numbers
_KL_WEIGHT = 1e-5
_FIRST_LOG_VARIANCE = -6.0
_SAMPLES = 64


def train_vae(work: Path, device: torch.device) -> AutoencoderKLLTXVideo:
    """Trains both halves on crops of clips, then measures the latents' statistics."""
    torch.manual_seed(config.SEED)
    vae = AutoencoderKLLTXVideo(**config.VAE).to(device)
    vae.decoder.timestep_scale_multiplier.requires_grad_(requires_grad=False)  # 1000 is what the architecture says
    _begin_certain(vae)

    def loss_of(step: int) -> tuple[torch.Tensor, dict[str, float]]:
        done = step / config.VAE_PHASE.steps
        length, side, count = config.VAE_CROPS if done < config.VAE_CROPPED else config.VAE_WHOLE
        scenes = random_scenes(_CLIPS, step, count)
        clips = draw_batch(scenes, config.FRAMES, config.SIDE)
        frames = to_tensor(crop(clips, scenes, length, side, np.random.default_rng((_CROPS, step))), device)
        random = generator(_NOISE, step, device)
        posterior = vae.encode(frames).latent_dist
        latents = posterior.sample(random)
        divergence = 0.5 * (posterior.mean.square() + posterior.var - 1 - posterior.logvar).mean()
        loss, figures = _reconstruction(vae, latents, frames, random, done)
        return loss + _KL_WEIGHT * divergence, {**figures, "kl": divergence.item()}

    trained = run_phase(config.VAE_PHASE, vae, loss_of, work)
    assert isinstance(trained, AutoencoderKLLTXVideo)
    _measure_statistics(trained, device)
    return trained


def train_decoder(vae: AutoencoderKLLTXVideo, work: Path, device: torch.device) -> AutoencoderKLLTXVideo:
    """Trains the decoder alone on whole frames; the encoder stays, and with it the latents."""
    vae.requires_grad_(requires_grad=False)
    vae.decoder.requires_grad_(requires_grad=True)
    vae.decoder.timestep_scale_multiplier.requires_grad_(requires_grad=False)

    def loss_of(step: int) -> tuple[torch.Tensor, dict[str, float]]:
        scenes = random_scenes(_CLIPS, config.VAE_PHASE.steps + step, config.VAE_WHOLE[2])
        frames = to_tensor(draw_batch(scenes, config.FRAMES, config.SIDE), device)
        with torch.no_grad():
            latents = vae.encode(frames).latent_dist.mean
        return _reconstruction(vae, latents, frames, generator(_NOISE, config.VAE_PHASE.steps + step, device), 1.0)

    trained = run_phase(config.DECODER_PHASE, vae, loss_of, work)
    assert isinstance(trained, AutoencoderKLLTXVideo)
    return trained


def to_tensor(clips: Bytes, device: torch.device) -> torch.Tensor:
    """Bytes (B, F, H, W, 3) as the VAE takes them: (B, 3, F, H, W) in [-1, 1]."""
    return torch.from_numpy(clips).to(device).permute(0, 4, 1, 2, 3).float() / 127.5 - 1


def normalise(vae: AutoencoderKLLTXVideo, latents: torch.Tensor) -> torch.Tensor:
    """Latents (B, C, F, H, W) with mean 0 and deviation 1 in each channel."""
    shape = (1, -1, 1, 1, 1)
    return (latents - vae.latents_mean.view(shape)) / vae.latents_std.view(shape)


def _reconstruction(
    vae: AutoencoderKLLTXVideo, latents: torch.Tensor, frames: torch.Tensor, random: torch.Generator, sharpness: float
) -> tuple[torch.Tensor, dict[str, float]]:
    """Decodes latents with some noise, of which the decoder is told how much it is.

    Absolute errors and those of edges come in with `sharpness`, from 0 to 1: at first they would teach an empty
    background, the median of what is there.
    """
    timestep = torch.rand(len(latents), generator=random, device=random.device) * config.MOST_DECODING_NOISE
    share = timestep.view(-1, 1, 1, 1, 1)
    noise = torch.randn(latents.shape, generator=random, device=random.device) * vae.latents_std.view(1, -1, 1, 1, 1)
    decoded = vae.decode((1 - share) * latents + share * noise, timestep).sample
    error = decoded - frames
    square = error.square().mean()
    edges = error.diff(dim=-1).abs().mean() + error.diff(dim=-2).abs().mean()
    loss = 10 * square + (0.1 + 0.9 * sharpness) * error.abs().mean() + sharpness * edges
    return loss, {"psnr": -10 * torch.log10(square.detach() / 4).item()}


@torch.no_grad()
def _begin_certain(vae: AutoencoderKLLTXVideo) -> None:
    """Makes the latents' variance small at first: as large as the means it would drown them, and nothing is learnt."""
    last = vae.encoder.conv_out.conv
    last.weight[-1] = 0
    last.bias[-1] = _FIRST_LOG_VARIANCE


@torch.no_grad()
def _measure_statistics(vae: AutoencoderKLLTXVideo, device: torch.device) -> None:
    scenes = random_scenes(_CLIPS, 10**6, _SAMPLES)
    batches = [
        to_tensor(draw_batch(scenes[i : i + 4], config.FRAMES, config.SIDE), device) for i in range(0, _SAMPLES, 4)
    ]
    latents = torch.cat([vae.encode(frames).latent_dist.mean for frames in batches])
    vae.latents_mean.copy_(latents.mean(dim=(0, 2, 3, 4)))
    vae.latents_std.copy_(latents.std(dim=(0, 2, 3, 4)))
