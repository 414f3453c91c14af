"""A tiny latent upsampler of the true architecture, as diffusers saves it and as the official file has it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import torch
from diffusers.pipelines.ltx.modeling_latent_upsampler import LTXLatentUpsamplerModel
from safetensors.torch import save_file

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

CONFIG = {"in_channels": 8, "mid_channels": 64, "num_blocks_per_stage": 1, "dims": 3}
FILE = "ltxv-spatial-upscaler-0.9.8.safetensors"


@torch.no_grad()
def build(seed: int = 0, **changes: Any) -> LTXLatentUpsamplerModel:
    """Build the upsampler, no norm all ones, with other values than CONFIG's where `changes` has them."""
    model = LTXLatentUpsamplerModel(**{**CONFIG, **changes}).eval()
    generator = torch.Generator().manual_seed(seed)
    for name, value in sorted(model.named_parameters()):
        noise = torch.randn(value.shape, generator=generator)
        fan_in = value.numel() // value.shape[0]
        drawn = noise * fan_in**-0.5 if value.ndim > 1 else 0.2 * noise
        value.copy_(drawn + ("norm" in name and name.endswith("weight")))
    return model


def save_folder(folder: Path, **changes: Any) -> Path:
    """Save it as the folder `latent_upsampler` of a folder, where diffusers' pipelines have it."""
    build(**changes).save_pretrained(folder / "latent_upsampler")
    return folder


def save(
    path: Path, *, config: Mapping[str, Any] | None = None, metadata: Mapping[str, str] | None = None, **changes: Any
) -> Path:
    """Write it as an official file, whose metadata say its form or, where `config` is empty, nothing."""
    model = build(**changes)
    told = {**CONFIG, "spatial_upsample": True, "temporal_upsample": False, **changes}
    told = {"_class_name": "LatentUpsampler", **told} if config is None else dict(config)
    entries = {**({"config": json.dumps(told)} if told else {}), **(metadata or {})}
    save_file(model.state_dict(), path, metadata=entries or None)
    return path
