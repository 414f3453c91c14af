"""The autoencoder: first both halves on single frames, then the decoder on frames that are seen together."""

from copy import deepcopy
from pathlib import Path

import numpy as np
import torch
from diffusers import AutoencoderKLTemporalDecoder
from diffusers.models.downsampling import Downsample2D
from diffusers.models.resnet import ResnetBlock2D, SpatioTemporalResBlock, TemporalResnetBlock
from diffusers.models.upsampling import Upsample2D
from torch import nn

from training.clips.draw import Bytes, draw
from training.clips.scene import Scene
from training.loop import generator, run_phase
from training.svd import config
from training.svd.scenes import random_still, random_svd_scene

_SCENES, _NOISE, _CROPS = 31, 32, 33  # streams of random numbers
_KL_WEIGHT = 5e-4
_MOST_AUGMENTATION = 0.05
_SAMPLES = 64


class _Still(nn.Module):
    """Stands for a temporal block that changes nothing."""

    def forward(self, hidden: torch.Tensor, _: torch.Tensor | None) -> torch.Tensor:
        return hidden


def train_vae(work: Path, device: torch.device) -> AutoencoderKLTemporalDecoder:
    """Trains both halves on single frames, with temporal blocks that change nothing, and measures the latents."""
    torch.manual_seed(config.SEED)
    whole = _plainly_begun(AutoencoderKLTemporalDecoder(**config.VAE)).to(device)
    vae = _without_time(whole)

    def loss_of(step: int) -> tuple[torch.Tensor, dict[str, float]]:
        frames = to_tensor(_frames(step), device)
        random = generator(_NOISE, step, device)
        posterior = vae.encode(_augmented(frames, random)).latent_dist
        error = vae.decode(posterior.sample(random), num_frames=1).sample - frames
        divergence = 0.5 * (posterior.mean.square() + posterior.var - 1 - posterior.logvar).mean()
        loss, figures = _distance(error)
        return loss + _KL_WEIGHT * divergence, {**figures, "kl": divergence.item()}

    trained = run_phase(config.VAE_PHASE, vae, loss_of, work)
    whole.load_state_dict(trained.state_dict(), strict=False)
    return _with_unit_latents(whole.eval(), device)


def train_decoder(vae: AutoencoderKLTemporalDecoder, work: Path, device: torch.device) -> AutoencoderKLTemporalDecoder:
    """Trains the decoder on frames that follow each other; the encoder stays, and with it the latents."""
    vae.requires_grad_(requires_grad=False)
    vae.decoder.requires_grad_(requires_grad=True)

    def loss_of(step: int) -> tuple[torch.Tensor, dict[str, float]]:
        rng = np.random.default_rng((_CROPS, config.VAE_PHASE.steps + step))
        clip = draw(random_svd_scene(_SCENES, 10**6 + step), config.FRAMES, config.SIDE, config.SIDE)
        first = int(rng.integers(config.FRAMES - config.DECODER_FRAMES + 1))
        frames = to_tensor(clip[first : first + config.DECODER_FRAMES], device)
        with torch.no_grad():
            latents = vae.encode(frames).latent_dist.mode()
        noise = torch.randn(latents.shape, generator=generator(_NOISE, 10**6 + step, device), device=device)
        noisy = latents + config.LATENT_NOISE / vae.config.scaling_factor * noise
        return _distance(vae.decode(noisy, num_frames=len(frames)).sample - frames)

    trained = run_phase(config.DECODER_PHASE, vae, loss_of, work)
    assert isinstance(trained, AutoencoderKLTemporalDecoder)
    return trained


def to_tensor(frames: Bytes, device: torch.device) -> torch.Tensor:
    """Bytes (B, H, W, 3) as the VAE takes them: (B, 3, H, W) in [-1, 1]."""
    return torch.from_numpy(np.ascontiguousarray(frames)).to(device).permute(0, 3, 1, 2).float() / 127.5 - 1


@torch.no_grad()
def _plainly_begun(vae: AutoencoderKLTemporalDecoder) -> AutoencoderKLTemporalDecoder:
    """Begins as a linear autoencoder: residual blocks add nothing, and what changes the size hands on what it gets.

    From PyTorch's own beginning, signals fade at every change of size, and colours take most of the training to appear.
    """
    for block in vae.modules():
        if isinstance(block, ResnetBlock2D):
            nn.init.zeros_(block.conv2.weight)
            nn.init.zeros_(block.conv2.bias)
            if block.conv_shortcut is not None:
                nn.init.orthogonal_(block.conv_shortcut.weight)
        elif isinstance(block, TemporalResnetBlock):
            nn.init.zeros_(block.conv2.weight)
            nn.init.zeros_(block.conv2.bias)
        elif isinstance(block, Upsample2D):
            nn.init.dirac_(block.conv.weight)
        elif isinstance(block, Downsample2D):
            nn.init.dirac_(block.conv.weight)
            block.conv.weight.copy_(block.conv.weight.sum(dim=(2, 3), keepdim=True).expand_as(block.conv.weight) / 9)
    nn.init.dirac_(vae.decoder.time_conv_out.weight)
    nn.init.zeros_(vae.decoder.time_conv_out.bias)
    return vae


def _without_time(whole: AutoencoderKLTemporalDecoder) -> AutoencoderKLTemporalDecoder:
    """The VAE without its temporal blocks, which change nothing to begin with."""
    vae = deepcopy(whole)
    for block in vae.modules():
        if isinstance(block, SpatioTemporalResBlock):
            block.temporal_res_block = _Still()
    return vae


def _frames(step: int) -> Bytes:
    """Crops about shapes, and in some steps a whole frame: (B, H, W, 3)."""
    rng = np.random.default_rng((_CROPS, step))
    often = step >= config.WHOLE_OFTEN_FROM
    whole = step % (config.WHOLE_OFTEN_EVERY if often else config.WHOLE_EVERY) == 0
    scenes = [
        random_still(_SCENES, step * config.VAE_BATCH + index) for index in range(1 if whole else config.VAE_BATCH)
    ]
    frames = [draw(scene, 1, config.SIDE, config.SIDE)[0] for scene in scenes]
    return np.stack(frames if whole else [_cut(frame, scene, rng) for frame, scene in zip(frames, scenes, strict=True)])


def _cut(frame: Bytes, scene: Scene, rng: np.random.Generator) -> Bytes:
    """A square out of (H, W, 3) whose middle lies not far from the shape's centre."""
    side, whole = config.VAE_CROP, config.SIDE
    middle = [(0.5 + place) * whole + rng.uniform(-side, side) / 2 for place in scene.start]
    column, row = (int(np.clip(place - side / 2, 0, whole - side)) for place in middle)
    return frame[row : row + side, column : column + side]


def _augmented(frames: torch.Tensor, random: torch.Generator) -> torch.Tensor:
    """Frames with noise, as the pipeline adds it to the picture: the encoder learns to see through it."""
    strength = _MOST_AUGMENTATION * torch.rand((len(frames), 1, 1, 1), generator=random, device=frames.device)
    return frames + strength * torch.randn(frames.shape, generator=random, device=frames.device)


def _distance(error: torch.Tensor) -> tuple[torch.Tensor, dict[str, float]]:
    square = error.square().mean()
    edges = error.diff(dim=-1).abs().mean() + error.diff(dim=-2).abs().mean()
    return error.abs().mean() + 2 * square + edges, {"psnr": -10 * torch.log10(square.detach() / 4).item()}


@torch.no_grad()
def _with_unit_latents(vae: AutoencoderKLTemporalDecoder, device: torch.device) -> AutoencoderKLTemporalDecoder:
    """Sets the scaling factor by which latents have a deviation of 1."""
    scenes = [random_still(_SCENES, 2 * 10**6 + index) for index in range(_SAMPLES)]
    frames = [to_tensor(draw(scene, 1, config.SIDE, config.SIDE), device) for scene in scenes]
    latents = torch.cat([vae.encode(frame).latent_dist.mode() for frame in frames])
    vae.register_to_config(scaling_factor=round(1 / latents.square().mean().sqrt().item(), 5))
    return vae
