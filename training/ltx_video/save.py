"""The trained model as a folder that diffusers loads."""

from pathlib import Path

import torch
from diffusers import AutoencoderKLLTXVideo, FlowMatchEulerDiscreteScheduler, LTXConditionPipeline
from transformers import T5TokenizerFast

from training.ltx_video.diffusion import Denoiser


def pipeline(vae: AutoencoderKLLTXVideo, model: Denoiser, tokenizer: T5TokenizerFast) -> LTXConditionPipeline:
    """Puts the components together."""
    return LTXConditionPipeline(
        scheduler=FlowMatchEulerDiscreteScheduler(),
        vae=vae,
        text_encoder=model.text_encoder,
        tokenizer=tokenizer,
        transformer=model.transformer,
    )


def save(vae: AutoencoderKLLTXVideo, model: Denoiser, tokenizer: T5TokenizerFast, target: Path) -> None:
    """Writes everything in half precision."""
    pipeline(vae, model, tokenizer).to(torch.float16).save_pretrained(target)
    size = sum(path.stat().st_size for path in target.rglob("*.safetensors"))
    print(f"{target}: {size / 1e6:.1f} MB of weights")
