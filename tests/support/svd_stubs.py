"""Stable Video Diffusion of diffusers, with stubs for its three networks that remember what they are given."""

from __future__ import annotations

from types import SimpleNamespace

import torch
from diffusers import EulerDiscreteScheduler, StableVideoDiffusionPipeline
from PIL import Image
from torch import nn
from transformers.models.clip.image_processing_pil_clip import CLIPImageProcessorPil

# what scheduler_config.json of the published checkpoints says
SCHEDULER = {
    "beta_start": 0.00085,
    "beta_end": 0.012,
    "beta_schedule": "scaled_linear",
    "interpolation_type": "linear",
    "num_train_timesteps": 1000,
    "prediction_type": "v_prediction",
    "sigma_max": 700.0,
    "sigma_min": 0.002,
    "steps_offset": 1,
    "timestep_spacing": "leading",
    "timestep_type": "continuous",
    "use_karras_sigmas": True,
}


def velocity_of(sample, timestep, embeds, added):
    """A smooth function of all that the UNet is given: (B, F, 8, H, W) to (B, F, 4, H, W)."""
    noisy, picture = sample[:, :, :4], sample[:, :, 4:]
    told = added.mean(dim=1) / 100 + embeds.mean(dim=(1, 2)) + timestep
    return torch.sin(noisy + 0.5 * picture + told.reshape(-1, 1, 1, 1, 1))


def encoded(picture):
    """Every eighth pixel, and their brightness: (1, 3, H, W) to (1, 4, H / 8, W / 8)."""
    small = picture[:, :, ::8, ::8]
    return torch.cat([small, small.mean(dim=1, keepdim=True)], dim=1)


def decoded(latents):
    """Frames that depend on all that are decoded with them: (F, 4, H, W) to (F, 3, 8 H, 8 W)."""
    clip = latents + latents.mean(dim=0, keepdim=True) * 2
    return clip[:, :3].repeat_interleave(8, dim=2).repeat_interleave(8, dim=3)


class Stub(nn.Module):
    """A network without weights, somewhere and of some type all the same."""

    def __init__(self, **config):
        super().__init__()
        self.config = SimpleNamespace(**config)
        self.weight = nn.Parameter(torch.zeros(1), requires_grad=False)
        self.calls = []

    device = torch.device("cpu")
    dtype = torch.float32


class ImageEncoder(Stub):
    def forward(self, pixels):
        self.calls.append(pixels)
        return SimpleNamespace(image_embeds=pixels[:, :, 0, :2].flatten(1))


class Vae(Stub):
    def encode(self, picture):
        self.calls.append(picture)
        return SimpleNamespace(latent_dist=SimpleNamespace(mode=lambda: encoded(picture)))

    def forward(self, sample, num_frames=1):
        raise NotImplementedError

    def decode(self, latents, num_frames):
        assert num_frames == len(latents)
        self.calls.append(latents)
        return SimpleNamespace(sample=decoded(latents))


class UNet(Stub):
    add_embedding = SimpleNamespace(linear_1=SimpleNamespace(in_features=24))

    def forward(self, sample, timestep, encoder_hidden_states, added_time_ids, return_dict):
        assert not return_dict
        self.calls.append((sample, timestep, encoder_hidden_states, added_time_ids))
        return (velocity_of(sample, timestep, encoder_hidden_states, added_time_ids),)


class Oracle:
    """Diffusers' pipeline around the stubs."""

    def __init__(self):
        self.encoder, self.vae = (
            ImageEncoder(),
            Vae(block_out_channels=(1, 1, 1, 1), scaling_factor=0.18215, force_upcast=False),
        )
        self.unet = UNet(in_channels=8, num_frames=14, sample_size=96, addition_time_embed_dim=8)
        self.pipeline = StableVideoDiffusionPipeline(
            self.vae, self.encoder, self.unet, EulerDiscreteScheduler(**SCHEDULER), CLIPImageProcessorPil()
        )
        self.pipeline.set_progress_bar_config(disable=True)

    def run(self, image, *, seed, num_videos=1, output_type="pt", **options):
        """Latents (B, F, 4, H, W), or frames between 0 and 1, (B, F, 3, H, W)."""
        generator = torch.Generator().manual_seed(seed)
        picture = Image.fromarray(image)
        return self.pipeline(
            picture, generator=generator, num_videos_per_prompt=num_videos, output_type=output_type, **options
        ).frames
