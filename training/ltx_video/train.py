"""All phases of the demo model's training, in order; each continues where it was stopped."""

from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path

import torch
from diffusers import LTXConditionPipeline

from training.ltx_video.check import check
from training.ltx_video.diffusion import cached_scenes, train_diffusion
from training.ltx_video.latents import encoded
from training.ltx_video.save import save
from training.ltx_video.tokenizer import build_tokenizer
from training.ltx_video.vae import train_decoder, train_vae


class Part(StrEnum):
    """What can be run alone once the parts above it are done; decoder and diffusion need only the VAE."""

    VAE = "vae"
    DECODER = "decoder"
    DIFFUSION = "diffusion"
    SAVE = "save"
    CHECK = "check"


def train(work: Path, target: Path, device: torch.device, parts: Sequence[Part] = tuple(Part)) -> None:
    """Trains what is not trained yet and saves the pipeline as diffusers does."""
    vae = train_vae(work, device)
    is_saved = Part.SAVE in parts
    if Part.DECODER in parts or is_saved:
        vae = train_decoder(vae, work, device)
    if Part.DIFFUSION in parts or is_saved:
        tokenizer, scenes = build_tokenizer(), cached_scenes()
        model = train_diffusion(encoded(vae, scenes, work, device), scenes, tokenizer, work, device)
        if is_saved:
            save(vae, model, tokenizer, target)
    if Part.CHECK in parts:
        # transformers would keep its half of the pipeline in the precision of the file, diffusers takes full
        saved = LTXConditionPipeline.from_pretrained(target, torch_dtype=torch.float32)
        figures = check(saved, work / "check.png")
        print("held-out prompts:", ", ".join(f"{name} {share:.0%}" for name, share in figures.items()))
    print(f"LTX-Video: {', '.join(parts)} done", flush=True)
