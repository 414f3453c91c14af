"""What the official pipeline was given when its sampling was recorded: transformers as deep as the versions', tiny."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from svd_original import weight
from vidrt_engines.versions import version_named

SEED = 11
GOLDEN = Path(__file__).resolve().parent.parent / "runtime" / "pipelines" / "golden" / "sampling.npz"
CHANNELS, TEXT = 8, 16
REAL_TOKENS = {"positive": 6, "negative": 4}  # of the longer prompt's six


def transformer(version: str) -> dict[str, Any]:
    """The configuration of a version's transformer, where it differs from the golden modules'."""
    return {
        "num_attention_heads": 2, "attention_head_dim": 8, "cross_attention_dim": 16, "in_channels": CHANNELS,
        "out_channels": CHANNELS, "caption_channels": TEXT, "num_layers": version_named(version).layers,
    }  # fmt: skip


def value(name: str, shape: tuple[int, ...]) -> np.ndarray:
    """The weight of a name in the official transformer; what a block adds is small enough for 48 of them."""
    drawn = weight(name, shape)
    return np.asarray(0.5 * drawn, np.float32) if name.endswith("to_out.0.weight") else drawn


def embeddings() -> dict[str, np.ndarray]:
    """Embeddings of the prompt and of the negative prompt, both padded to the longer one's tokens."""
    shape = (1, max(REAL_TOKENS.values()), TEXT)
    return {name: weight(f"given {name}", shape) * np.float32(10) for name in REAL_TOKENS}


def masks() -> dict[str, np.ndarray]:
    """1 for each token of a prompt that counts."""
    length = max(REAL_TOKENS.values())
    return {name: (np.arange(length) < count).astype(np.float32)[None] for name, count in REAL_TOKENS.items()}


def recorded() -> dict[str, np.ndarray]:
    """By version and mode of spatio-temporal guidance: latents before the first step and after each."""
    with np.load(GOLDEN) as file:
        return dict(file)
