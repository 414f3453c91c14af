"""The clips that the transformer learns from, encoded once."""

from collections.abc import Sequence
from pathlib import Path

import torch
from diffusers import AutoencoderKLLTXVideo

from training.clips.batches import draw_batch
from training.clips.scene import Scene
from training.ltx_video import config
from training.ltx_video.vae import normalise, to_tensor

_BATCH = 4
_SHARD = 512


@torch.no_grad()
def encoded(vae: AutoencoderKLLTXVideo, scenes: Sequence[Scene], work: Path, device: torch.device) -> torch.Tensor:
    """Normalised latent tokens of each scene, (N, S, C); what is encoded already is read from its file."""
    shards = [
        _shard(vae, scenes[i : i + _SHARD], work / f"latents-{i}.pt", device) for i in range(0, len(scenes), _SHARD)
    ]
    return torch.cat(shards)


def _shard(vae: AutoencoderKLLTXVideo, scenes: Sequence[Scene], file: Path, device: torch.device) -> torch.Tensor:
    if file.exists():
        known: torch.Tensor = torch.load(file, weights_only=True)
        return known
    tokens = torch.cat([_tokens(vae, scenes[i : i + _BATCH], device) for i in range(0, len(scenes), _BATCH)])
    torch.save(tokens, file.with_suffix(".part"))
    file.with_suffix(".part").replace(file)
    print(f"latents  {file.stem}: {len(tokens)} clips", flush=True)
    return tokens


def _tokens(vae: AutoencoderKLLTXVideo, scenes: Sequence[Scene], device: torch.device) -> torch.Tensor:
    frames = to_tensor(draw_batch(scenes, config.FRAMES, config.SIDE), device)
    latents = normalise(vae, vae.encode(frames).latent_dist.mean)
    return latents.flatten(2).transpose(1, 2).cpu().contiguous()
