"""A folder as it lies on the hub: a checkpoint that diffusers saved, and much that nobody needs."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

WEIGHTS = "transformer/diffusion_pytorch_model.safetensors"
NEEDED = {
    "model_index.json", "scheduler/scheduler_config.json", "tokenizer/tokenizer.json", "transformer/config.json",
    WEIGHTS, "vae/config.json", "vae/diffusion_pytorch_model.safetensors", "text_encoder/config.json",
    "text_encoder/model.safetensors",
}  # fmt: skip
# pictures, other models, the same weights in other forms, other libraries' files
STRAY = (
    "README.md", ".gitattributes", "media/fox.gif", "ltxv-2b-0.9.8-distilled.safetensors",
    "ltxv-13b-0.9.7-dev.safetensors", "transformer/diffusion_pytorch_model.bin", "text_encoder/pytorch_model.bin",
    "text_encoder/model.onnx", "tokenizer/spiece.model", "tokenizer/special_tokens_map.json",
    "vae/diffusion_pytorch_model.fp16.safetensors",
)  # fmt: skip


def lay_out(checkpoint: Path, folder: Path) -> Path:
    """Copy a checkpoint and lay stray files beside it."""
    shutil.copytree(checkpoint, folder)
    for name in STRAY:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(f"nothing that is needed: {name}")
    return folder
