"""Captions as the transformer is given them, and as training drops them."""

import numpy as np
import torch
from transformers import T5TokenizerFast

from training.clips.captions import caption
from training.clips.scene import Scene
from training.ltx_video import config
from training.ltx_video.tokenizer import NEGATIVE_PROMPT


def written(scene: Scene, rng: np.random.Generator) -> str:
    """A caption, half of the time as a sentence begins; or, now and then, what guidance is asked to lead away from."""
    if rng.random() < config.CAPTION_DROPOUT:
        return "" if rng.random() < 0.3 else NEGATIVE_PROMPT
    text = caption(scene)
    return text.capitalize() if rng.random() < 0.5 else text


def tokenise(
    tokenizer: T5TokenizerFast, texts: list[str], device: torch.device | str = "cpu"
) -> tuple[torch.Tensor, torch.Tensor]:
    """Token ids and the mask of those that count, each (B, L) for the longest text."""
    tokens = tokenizer(texts, padding=True, return_tensors="pt")
    return tokens.input_ids.to(device), tokens.attention_mask.to(device)
