"""A tiny Stable Video Diffusion checkpoint of the true architecture, which diffusers and transformers build and save.

Its blocks, their order and its compression are the real one's; its weights are random, but none is idle: no mixing
factor is zero, no norm all ones.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import diffusers
import torch
import transformers
from closeness import below

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

EMBEDDING = 32  # of the image: the UNet's context

UNET = {
    "block_out_channels": (32, 64, 64, 64),
    "num_attention_heads": (2, 4, 2, 4),  # heads of 16, 16 and 32, all wide enough for TensorRT's fused attention
    "cross_attention_dim": EMBEDDING,
    "addition_time_embed_dim": 32,
    "projection_class_embeddings_input_dim": 96,
    "num_frames": 14,
    "sample_size": 8,
}
# Heads of 64, as all of the real UNet's are.
TRUE_HEADS = {"block_out_channels": (64, 128, 128, 128), "num_attention_heads": (1, 2, 2, 2)}
# All kinds of blocks in two levels, for tests that need no more.
SHALLOW = {
    "block_out_channels": (32, 64),
    "num_attention_heads": (2, 2),
    "down_block_types": ("CrossAttnDownBlockSpatioTemporal", "DownBlockSpatioTemporal"),
    "up_block_types": ("UpBlockSpatioTemporal", "CrossAttnUpBlockSpatioTemporal"),
    "layers_per_block": 1,
}
VAE = {
    "block_out_channels": (32, 32, 64, 64),
    "down_block_types": ("DownEncoderBlock2D",) * 4,
    "layers_per_block": 2,
    "sample_size": 64,
    "force_upcast": True,
}
IMAGE_ENCODER = {
    "hidden_size": 32,
    "intermediate_size": 64,
    "projection_dim": EMBEDDING,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "image_size": 224,
    "patch_size": 14,
    "hidden_act": "gelu",
}
# Stable Video Diffusion's own, and so are the means and deviations by which CLIP's image processor normalises.
SCHEDULER = {
    "beta_end": 0.012,
    "beta_schedule": "scaled_linear",
    "beta_start": 0.00085,
    "interpolation_type": "linear",
    "num_train_timesteps": 1000,
    "prediction_type": "v_prediction",
    "sigma_max": 700.0,
    "sigma_min": 0.002,
    "steps_offset": 1,
    "timestep_spacing": "leading",
    "timestep_type": "continuous",
    "trained_betas": None,
    "use_karras_sigmas": True,
}


def save(folder: Path, **options: Any) -> Path:
    """Save a whole pipeline as `diffusers.StableVideoDiffusionPipeline.save_pretrained` lays it out."""
    build(**options).save_pretrained(folder)
    return folder


def build(*, seed: int = 0, changes: Mapping[str, Mapping[str, Any]] | None = None) -> Any:
    """Build a whole pipeline in fp32 and in eval mode; `changes` are by component."""
    changes = changes or {}
    return diffusers.StableVideoDiffusionPipeline(
        unet=unet(seed, **changes.get("unet", {})),
        vae=vae(seed, **changes.get("vae", {})),
        image_encoder=image_encoder(seed, **changes.get("image_encoder", {})),
        scheduler=diffusers.EulerDiscreteScheduler(**SCHEDULER),
        feature_extractor=transformers.CLIPImageProcessor(),
    )


def unet(seed: int = 0, **changes: Any) -> diffusers.UNetSpatioTemporalConditionModel:
    """Build the UNet, with other values than UNET's where `changes` has them."""
    return _filled(diffusers.UNetSpatioTemporalConditionModel(**{**UNET, **changes}), seed)


def vae(seed: int = 0, **changes: Any) -> diffusers.AutoencoderKLTemporalDecoder:
    """Build the VAE, with other values than VAE's where `changes` has them."""
    return _filled(diffusers.AutoencoderKLTemporalDecoder(**{**VAE, **changes}), seed)


def vae_halves(oracle: diffusers.AutoencoderKLTemporalDecoder) -> tuple[dict[str, torch.Tensor], ...]:
    """Return the VAE's tensors as its encoder and its decoder name them."""
    state = oracle.state_dict()
    quant = {name: value for name, value in state.items() if name.startswith("quant_conv.")}
    return {**below("encoder.", state), **quant}, below("decoder.", state)


def image_encoder(seed: int = 0, **changes: Any) -> transformers.CLIPVisionModelWithProjection:
    """Build the image encoder, with other values than IMAGE_ENCODER's where `changes` has them."""
    config = transformers.CLIPVisionConfig(**{**IMAGE_ENCODER, **changes})
    return _filled(transformers.CLIPVisionModelWithProjection(config), seed)


@torch.no_grad()
def _filled(model: Any, seed: int) -> Any:
    """Draw every parameter anew such that signals keep their size, in the order of names."""
    generator = torch.Generator().manual_seed(seed)
    for name, value in sorted(model.named_parameters()):
        value.copy_(_drawn(name, torch.randn(value.shape, generator=generator)))
    return model.eval()


def _drawn(name: str, noise: torch.Tensor) -> torch.Tensor:
    leaf = name.rpartition(".")[2]
    if leaf == "mix_factor":
        return 0.5 + 0.5 * noise.tanh()
    if noise.ndim == 1:
        return 1 + 0.2 * noise if "norm" in name and leaf == "weight" else 0.2 * noise
    if "position_embedding" in name:
        return 0.2 * noise
    return noise * (noise.numel() // noise.shape[0]) ** -0.5
