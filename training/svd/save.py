"""The trained model as a folder that diffusers loads."""

from pathlib import Path

import torch
from diffusers import AutoencoderKLTemporalDecoder, EulerDiscreteScheduler, StableVideoDiffusionPipeline
from transformers import CLIPImageProcessor

from training.svd import config
from training.svd.denoiser import Denoiser


def pipeline(vae: AutoencoderKLTemporalDecoder, model: Denoiser) -> StableVideoDiffusionPipeline:
    """Puts the components together."""
    return StableVideoDiffusionPipeline(
        vae=vae,
        image_encoder=model.image_encoder,
        unet=model.unet,
        scheduler=EulerDiscreteScheduler(**config.SCHEDULER),
        feature_extractor=CLIPImageProcessor(),
    )


def save(vae: AutoencoderKLTemporalDecoder, model: Denoiser, target: Path) -> None:
    """Writes everything in half precision."""
    pipeline(vae, model).to(torch.float16).save_pretrained(target)
    size = sum(path.stat().st_size for path in target.rglob("*.safetensors"))
    print(f"{target}: {size / 1e6:.1f} MB of weights")
