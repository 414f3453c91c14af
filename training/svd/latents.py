"""The ways that shapes go, encoded once; a clip is every frame or every other one of a part of a way."""

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from diffusers import AutoencoderKLTemporalDecoder

from training.clips.draw import Bytes, draw
from training.clips.scene import Scene
from training.svd import config
from training.svd.scenes import FARTHEST, LAST_BUCKET, random_svd_scene
from training.svd.vae import to_tensor

_WAYS = 41  # a stream of random numbers
_SHARD = 32
_STILL_SHARE, _HALF_SHARE = 0.06, 0.45


@dataclass(frozen=True, kw_only=True)
class Clip:
    """A clip out of a way.

    Attributes:
        way: which one.
        first: the clip's first frame.
        stride: 0 where the shape stays still, 1 for half the speed of 2.
    """

    way: int
    first: int
    stride: int

    @property
    def frames(self) -> list[int]:
        """Which of the way's frames it shows."""
        return [self.first + self.stride * index for index in range(config.FRAMES)]


def ways() -> list[Scene]:
    """The scenes whose ways are encoded."""
    return [random_svd_scene(_WAYS, index) for index in range(config.WAYS)]


def random_clip(rng: np.random.Generator) -> Clip:
    """Draws a clip out of any way."""
    way, kind = int(rng.integers(config.WAYS)), float(rng.random())
    if kind < _STILL_SHARE:
        return Clip(way=way, first=int(rng.integers(config.WAY_FRAMES)), stride=0)
    if kind < _STILL_SHARE + _HALF_SHARE:
        return Clip(way=way, first=int(rng.integers(config.WAY_FRAMES - config.FRAMES + 1)), stride=1)
    return Clip(way=way, first=0, stride=2)


def bucket_of(clip: Clip, scene: Scene) -> float:
    """The motion bucket that a clip of a scene's way is an example of."""
    return scene.travel * clip.stride / 2 / FARTHEST * LAST_BUCKET


def first_frame(clip: Clip, scene: Scene) -> Bytes:
    """The clip's picture, (H, W, 3)."""
    gone = scene.travel * clip.first / (config.WAY_FRAMES - 1)
    x, y = (place + sign * gone for place, sign in zip(scene.start, scene.motion.direction, strict=True))
    return draw(replace(scene, start=(x, y)), 1, config.SIDE, config.SIDE)[0]


@torch.no_grad()
def encoded(vae: AutoencoderKLTemporalDecoder, work: Path, device: torch.device) -> torch.Tensor:
    """Unscaled latents of each way, (N, F, C, h, w); what is encoded already is read from its file."""
    scenes = ways()
    return torch.cat(
        [_shard(vae, scenes[i : i + _SHARD], work / f"ways-{i}.pt", device) for i in range(0, len(scenes), _SHARD)]
    )


def _shard(vae: AutoencoderKLTemporalDecoder, scenes: list[Scene], file: Path, device: torch.device) -> torch.Tensor:
    if file.exists():
        known: torch.Tensor = torch.load(file, weights_only=True)
        return known
    latents = torch.stack([_way(vae, scene, device) for scene in scenes])
    torch.save(latents, file.with_suffix(".part"))
    file.with_suffix(".part").replace(file)
    print(f"latents  {file.stem}: {len(latents)} ways", flush=True)
    return latents


def _way(vae: AutoencoderKLTemporalDecoder, scene: Scene, device: torch.device) -> torch.Tensor:
    frames = to_tensor(draw(scene, config.WAY_FRAMES, config.SIDE, config.SIDE), device)
    return torch.cat([vae.encode(part).latent_dist.mode() for part in frames.split(4)]).cpu()
