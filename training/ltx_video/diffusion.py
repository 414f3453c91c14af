"""The transformer and the text encoder, trained together as a rectified flow."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from diffusers import LTXConditionPipeline, LTXVideoTransformer3DModel
from torch import nn
from torch.nn.functional import mse_loss
from transformers import T5Config, T5EncoderModel, T5TokenizerFast

from training.clips.batches import random_scenes
from training.clips.scene import Scene
from training.loop import generator, run_phase
from training.ltx_video import config
from training.ltx_video.text import tokenise, written

_BATCHES, _NOISE = 21, 22  # streams of random numbers
_TIMESTEPS = 1000.0
_LOGIT_MEAN, _LOGIT_DEVIATION = 1.0, 1.3  # mostly noisy: there colour, place and way are decided


class Denoiser(nn.Module):
    """From noisy tokens and a caption to the velocity: noise less latents."""

    def __init__(self, words: int) -> None:
        super().__init__()
        self.text_encoder = T5EncoderModel(T5Config(vocab_size=words, **config.TEXT_ENCODER))
        self.transformer = LTXVideoTransformer3DModel(**config.TRANSFORMER)

    def forward(
        self, noisy: torch.Tensor, sigma: torch.Tensor, coordinates: torch.Tensor, ids: torch.Tensor, mask: torch.Tensor
    ) -> torch.Tensor:
        """Noisy tokens (B, S, C) at `sigma` (B,), their `coordinates` (1, 3, S), a caption's `ids`, `mask` (B, L)."""
        context = self.text_encoder(ids, attention_mask=mask).last_hidden_state
        velocity: torch.Tensor = self.transformer(
            hidden_states=noisy,
            encoder_hidden_states=context,
            timestep=sigma[:, None] * _TIMESTEPS,
            encoder_attention_mask=mask,
            video_coords=coordinates.expand(len(noisy), -1, -1),
        ).sample
        return velocity


def train_diffusion(
    tokens: torch.Tensor, scenes: Sequence[Scene], tokenizer: T5TokenizerFast, work: Path, device: torch.device
) -> Denoiser:
    """Trains on normalised latent tokens (N, S, C) and their scenes."""
    torch.manual_seed(config.SEED)
    model = Denoiser(len(tokenizer)).to(device)
    where = coordinates(device)

    def loss_of(step: int) -> tuple[torch.Tensor, dict[str, float]]:
        rng = np.random.default_rng((_BATCHES, step))
        chosen = rng.integers(len(tokens), size=config.DIFFUSION_BATCH)
        ids, mask = tokenise(tokenizer, [written(scenes[index], rng) for index in chosen], device)
        clean = tokens[torch.from_numpy(chosen)].to(device)
        random = generator(_NOISE, step, device)
        sigma = torch.sigmoid(_LOGIT_MEAN + _LOGIT_DEVIATION * torch.randn(len(clean), generator=random, device=device))
        noise = torch.randn(clean.shape, generator=random, device=device)
        share = sigma.view(-1, 1, 1)
        velocity = model((1 - share) * clean + share * noise, sigma, where, ids, mask)
        return mse_loss(velocity, noise - clean), {}

    trained = run_phase(config.DIFFUSION_PHASE, model, loss_of, work)
    assert isinstance(trained, Denoiser)
    return trained


def coordinates(device: torch.device) -> torch.Tensor:
    """Where each token lies, in seconds and pixels, as the pipeline computes it: (1, 3, S)."""
    spatial, temporal = (config.VAE[f"{axis}_compression_ratio"] for axis in ("spatial", "temporal"))
    frames, side = (config.FRAMES - 1) // temporal + 1, config.SIDE // spatial
    ids = LTXConditionPipeline._prepare_video_ids(1, frames, side, side, device=device)  # noqa: SLF001
    where = LTXConditionPipeline._scale_video_ids(ids, spatial, temporal, device=device).float()  # noqa: SLF001
    where[:, 0] /= config.FPS
    return where


def cached_scenes() -> list[Scene]:
    """The scenes of the clips that are encoded once."""
    return random_scenes(_BATCHES, 0, config.CACHED_CLIPS)
