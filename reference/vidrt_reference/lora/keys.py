"""The keys of a LoRA file: a module, spelled as the trainer spelled it, and what the tensor is to it."""

from __future__ import annotations

import re
from enum import StrEnum

from vidrt_reference.checkpoint.errors import CheckpointError


class Role(StrEnum):
    """What a tensor is to its module; the values say it in words."""

    DOWN = "down matrix"  # A: (rank, inputs)
    UP = "up matrix"  # B: (outputs, rank)
    UP_BIAS = "up bias"  # (outputs), scaled as the product is
    ALPHA = "alpha"  # one number: the product is scaled by alpha / rank
    DIFFERENCE = "difference"  # as large as the weight, what is too small for two matrices
    BIAS_DIFFERENCE = "difference of the bias"


# peft's, kohya's and old diffusers' words, ComfyUI's for what it extracts from two checkpoints
_LEAVES = {
    "lora_A.weight": Role.DOWN,
    "lora_down.weight": Role.DOWN,
    "lora.down.weight": Role.DOWN,
    "lora_B.weight": Role.UP,
    "lora_up.weight": Role.UP,
    "lora.up.weight": Role.UP,
    "lora_B.bias": Role.UP_BIAS,
    "alpha": Role.ALPHA,
    "diff": Role.DIFFERENCE,
    "diff_b": Role.BIAS_DIFFERENCE,
}
# peft writes the adapter's name between the two where it saves a module's own state
_NAMED = re.compile(r"\.(lora_[AB])\.[^.]+\.(weight|bias)$")
_LONGEST = 500  # characters, several times what any model's names have
_OTHER_KINDS = {
    ".dora_scale": "DoRA",
    ".lora_magnitude_vector": "DoRA",
    ".lokr_": "LoKr",
    ".hada_": "LoHa",
    ".oft_": "OFT",
    ".boft_": "BOFT",
    ".lora_mid.": "LoCon with a core",
    ".lora_embedding_": "LoRA of an embedding",
    ".on_input": "IA3",
    ".set_weight": "weights that replace others",
    ".reshape_weight": "weights of another shape",
}


def parse_key(key: str) -> tuple[str, Role]:
    """Take a key apart: the module and the role.

    Raises:
        CheckpointError: it is of another kind of adapter, or of none.
    """
    if len(key) > _LONGEST:
        raise CheckpointError(f"Expected names of layers, but one has {len(key)} characters: download the file again.")
    plain = _NAMED.sub(r".\1.\2", key)
    for leaf, role in _LEAVES.items():
        if plain.endswith(f".{leaf}"):
            return plain.removesuffix(f".{leaf}"), role
    kind = next((kind for mark, kind in _OTHER_KINDS.items() if mark in key), None)
    if kind:
        raise CheckpointError(f"Expected LoRA, but {key!r} is {kind}: merge it with its own tools, or use a LoRA.")
    raise CheckpointError(f"Expected LoRA matrices alone, but there is {key!r}: use a file that holds a LoRA.")
