"""Diffusers' own pipelines, called as the runtime is called."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import torch

if TYPE_CHECKING:
    from pathlib import Path

# The runtime's names that diffusers calls otherwise.
_NAMES = {"fps": "frame_rate", "num_videos": "num_videos_per_prompt"}
# What every version of LTX-Video decodes with, and diffusers takes as arguments: lists of a value for each video, since
# a single value it makes fit the prompts alone.
_DECODING = {"decode_timestep": 0.05, "decode_noise_scale": 0.025}


class Oracle:
    """One pipeline of diffusers, of the class that its checkpoint names."""

    def __init__(self, folder: Path) -> None:
        import diffusers

        self.pipeline = diffusers.DiffusionPipeline.from_pretrained(folder)
        self.pipeline.set_progress_bar_config(disable=True)

    def frames(self, **options: Any) -> np.ndarray:
        """Return uint8 frames (B, F, H, W, 3): diffusers' values between 0 and 1, times 255, rounded."""
        values = self._run(output_type="np", **options)
        return (np.asarray(values) * 255).round().astype(np.uint8)

    def latents(self, **options: Any) -> torch.Tensor:
        """Return what is left after the last step: tokens (B, S, C)."""
        latents = self._run(output_type="latent", **options)
        return latents if latents.ndim == 3 else latents.flatten(2).transpose(1, 2)

    def _run(self, *, seed: int, **options: Any) -> Any:
        renamed = {_NAMES.get(name, name): value for name, value in options.items()}
        decoding = {name: [value] * options.get("num_videos", 1) for name, value in _DECODING.items()}
        torch.manual_seed(seed)  # the noise that 0.9.1's decoder injects comes from the global generator
        generator = torch.Generator().manual_seed(seed)
        return self.pipeline(generator=generator, **{"frame_rate": 25, **decoding, **renamed}).frames
