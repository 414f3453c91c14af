"""The image encoder in open_clip's layout, in which queries, keys and values are one matrix.

Source: `VisionTransformer` of open_clip, ViT-H/14.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from vidrt_reference.checkpoint.derived import rows, transposed
from vidrt_reference.checkpoint.errors import CheckpointError
from vidrt_reference.checkpoint.keys import count_below, placed, renamed, shape_of
from vidrt_reference.svd.image_encoder import ImageEncoderParams

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from vidrt_reference.checkpoint.stored import StoredTensor

PREFIX = "conditioner.embedders.0.open_clip.model.visual."
HEAD_WIDTH = 80  # ViT-H's
# By which the embedder normalises pictures: CLIP's own.
IMAGE_MEAN, IMAGE_STD = (0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)

_OUTSIDE = {
    "class_embedding": "vision_model.embeddings.class_embedding",
    "positional_embedding": "vision_model.embeddings.position_embedding.weight",
    "conv1": "vision_model.embeddings.patch_embedding",
    "ln_pre": "vision_model.pre_layrnorm",
    "ln_post": "vision_model.post_layernorm",
    "proj": "visual_projection.weight",
}
_LAYER = {
    "ln_1": "layer_norm1",
    "ln_2": "layer_norm2",
    "attn.q_proj": "self_attn.q_proj",
    "attn.k_proj": "self_attn.k_proj",
    "attn.v_proj": "self_attn.v_proj",
    "attn.out_proj": "self_attn.out_proj",
    "mlp.c_fc": "mlp.fc1",
    "mlp.c_proj": "mlp.fc2",
}
_FUSED = "attn.in_proj_"
_PARTS = ("attn.q_proj", "attn.k_proj", "attn.v_proj")


def image_encoder_params(stored: Mapping[str, StoredTensor]) -> ImageEncoderParams:
    """What the encoder's shapes tell of it; heads are as wide as ViT-H's.

    Raises:
        CheckpointError: a tensor is missing that says how wide or deep it is.
    """
    width, _, patch, _ = _shape(stored, "conv1.weight", 4)
    side = math.isqrt(_shape(stored, "positional_embedding", 2)[0] - 1)
    return ImageEncoderParams(
        hidden_size=width,
        intermediate_size=_shape(stored, "transformer.resblocks.0.mlp.c_fc.weight", 2)[0],
        projection_dim=_shape(stored, "proj", 2)[1],
        num_hidden_layers=_layers(stored),
        num_attention_heads=max(1, width // HEAD_WIDTH),
        image_size=side * patch,
        patch_size=patch,
    )


def image_encoder_tensors(stored: Mapping[str, StoredTensor]) -> dict[str, StoredTensor]:
    """The encoder's tensors by their names here.

    Raises:
        CheckpointError: one of them is no such encoder's.
    """
    table = dict(_OUTSIDE)
    for number in range(_layers(stored)):
        table |= placed(f"transformer.resblocks.{number}", f"vision_model.encoder.layers.{number}", _LAYER)
    return renamed(dict(_unfused(stored)), table, what="image encoder")


def _unfused(stored: Mapping[str, StoredTensor]) -> Iterator[tuple[str, StoredTensor]]:
    for name, tensor in stored.items():
        layer, fused, leaf = name.partition(_FUSED)
        if name == "proj":
            yield name, transposed(tensor)
        elif fused:
            third, rest = divmod(tensor.shape[0] if tensor.shape else 0, len(_PARTS))
            if rest or not third:
                raise CheckpointError(f"Expected {name} to be three matrices in one, but its shape is {tensor.shape}.")
            for number, part in enumerate(_PARTS):
                yield f"{layer}{part}.{leaf}", rows(tensor, number * third, (number + 1) * third)
        else:
            yield name, tensor


def _layers(stored: Mapping[str, StoredTensor]) -> int:
    return count_below("transformer.resblocks.", stored)


def _shape(stored: Mapping[str, StoredTensor], name: str, axes: int) -> tuple[int, ...]:
    return shape_of(stored, name, axes, what="image encoder")
