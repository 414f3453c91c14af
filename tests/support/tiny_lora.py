"""LoRAs for the tiny LTX-Video transformer: saved by diffusers and peft themselves, or spelled as others spell them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import tiny_ltx
import torch
from safetensors.torch import save_file

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

BLOCK = "transformer_blocks.0"
# Linear layers of every kind, each with another rank.
RANKS = {
    f"{BLOCK}.attn1.to_q": 4,
    f"{BLOCK}.attn1.to_k": 2,
    f"{BLOCK}.attn2.to_v": 4,
    "transformer_blocks.1.attn2.to_out.0": 3,
    f"{BLOCK}.ff.net.0.proj": 1,
    "transformer_blocks.1.ff.net.2": 8,
    "proj_in": 2,
    "proj_out": 4,
    "caption_projection.linear_1": 5,
    "time_embed.linear": 4,
    "time_embed.emb.timestep_embedder.linear_2": 2,
}
# What the official code calls some of them.
OFFICIAL = {"proj_in": "patchify_proj", "time_embed": "adaln_single"}


def pairs(seed: int = 0, model: Any = None) -> dict[str, tuple[torch.Tensor, torch.Tensor]]:
    """Draw both matrices of each module of RANKS: (rank, inputs) and (outputs, rank)."""
    modules = dict((model or tiny_ltx.transformer()).named_modules())
    generator, found = torch.Generator().manual_seed(seed), {}
    for name, rank in RANKS.items():
        outputs, inputs = modules[name].weight.shape
        down = torch.randn(rank, inputs, generator=generator) * inputs**-0.5
        found[name] = down, 0.5 * torch.randn(outputs, rank, generator=generator)
    return found


def spelled(
    matrices: Mapping[str, tuple[torch.Tensor, torch.Tensor]],
    spell: Callable[[str], str] = "transformer.{}".format,
    words: tuple[str, str] = ("lora_A", "lora_B"),
    alphas: Mapping[str, float] | None = None,
) -> dict[str, torch.Tensor]:
    """Give matrices the keys of a file; those that have an alpha get it as a tensor."""
    state = {}
    for name, both in matrices.items():
        state |= {f"{spell(name)}.{word}.weight": value for word, value in zip(words, both, strict=True)}
    state |= {f"{spell(name)}.alpha": torch.tensor(alpha) for name, alpha in (alphas or {}).items()}
    return state


def save(path: Path, seed: int = 0, *, model: Any = None, **options: Any) -> Path:
    """Save a LoRA as diffusers spells it, or as `spelled` is told to."""
    save_file(spelled(pairs(seed, model), **options), path)
    return path


def official(name: str) -> str:
    """Spell a module as the official code does, under ComfyUI's prefix."""
    return "diffusion_model." + ".".join(OFFICIAL.get(word, word) for word in name.split("."))


def kohya(name: str) -> str:
    """Spell a module as kohya's trainers do."""
    return "lora_unet_" + name.replace(".", "_")


def trained(seed: int = 0, **config: Any) -> Any:
    """Give the tiny transformer an adapter of peft's that is not idle, as a trainer has it when it saves."""
    from peft import LoraConfig

    model = tiny_ltx.transformer()
    torch.manual_seed(seed)
    options = {"r": 4, "target_modules": list(RANKS), "init_lora_weights": False, **config}
    model.add_adapter(LoraConfig(**options))
    return model
