"""The official transformer: its configuration, and what its tensors are called.

Source: `Transformer3DModel` of `transformer3d.py` in Lightricks' LTX-Video.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from vidrt_reference.checkpoint.config import Config
from vidrt_reference.checkpoint.errors import CheckpointError
from vidrt_reference.checkpoint.keys import count_below, placed, renamed, shape_of
from vidrt_reference.ltx_video.original.config import METADATA
from vidrt_reference.ltx_video.original.names import TRANSFORMER_PARTS
from vidrt_reference.ltx_video.transformer import TransformerParams

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from vidrt_reference.checkpoint.stored import StoredTensor

HEADS = 32  # of every published model
# What else decides what weights mean, each with the official default; one value of each is implemented.
_IMPLEMENTED: tuple[tuple[str, object, object], ...] = (
    ("activation_fn", "gelu-approximate", "geglu"),
    ("adaptive_norm", "single_scale_shift", "single_scale_shift"),
    ("standardization_norm", "rms_norm", "layer_norm"),
    ("norm_elementwise_affine", False, True),
    ("qk_norm", "rms_norm", None),
    ("only_cross_attention", False, False),
    ("double_self_attention", False, False),
    ("positional_embedding_type", "rope", "rope"),
    ("positional_embedding_max_pos", [20, 2048, 2048], None),
)
_NUMBERS = {"positional_embedding_theta": 10000.0, "timestep_scale_multiplier": 1000.0}
_OUTSIDE = ("patchify_proj", "proj_out", "adaln_single", "caption_projection", "scale_shift_table")
_OWN = ("ff", "scale_shift_table")  # of a block
_ATTENTION = ("q_norm", "k_norm", "to_q", "to_k", "to_v", "to_out")
_BLOCKS = "transformer_blocks"


def params_of_config(values: Mapping[str, object]) -> TransformerParams:
    """Read the configuration in a file's metadata; keys that the official code does not read are passed over.

    Raises:
        CheckpointError: a value is of the wrong type, or one that is not implemented.
    """
    config = Config(what="transformer", values=values, where=METADATA)
    for key, wanted, default in _IMPLEMENTED:
        config.require(key, wanted, default=default)
    for key, number in _NUMBERS.items():
        if config.number(key, 0.0) != number:
            raise CheckpointError(f"The transformer's {key} was expected to be {number:g}, but is {values[key]!r}.")
    heads, width = config.integer("num_attention_heads", 16), config.integer("attention_head_dim", 88)
    in_channels = config.integer("in_channels", None)
    return TransformerParams(
        in_channels=in_channels,
        out_channels=config.optional_integer("out_channels") or in_channels,
        num_attention_heads=heads,
        attention_head_dim=width,
        cross_attention_dim=config.integer("cross_attention_dim", None),
        num_layers=config.integer("num_layers", 1),
        norm_eps=config.number("norm_eps", 1e-5),
        caption_channels=config.integer("caption_channels", None),
        attention_bias=config.flag("attention_bias", False),
    )


def params_of_shapes(stored: Mapping[str, StoredTensor]) -> TransformerParams:
    """What the shapes tell of a transformer; it has as many heads as every published one.

    Raises:
        CheckpointError: a tensor is missing that says how wide or deep it is.
    """
    width, in_channels = _shape(stored, "patchify_proj.weight")
    if width % HEADS:
        raise CheckpointError(
            f"Expected a transformer of {HEADS} heads, but its width is {width} and the file's metadata say no more: "
            f"use a file that has a config in its metadata."
        )
    return TransformerParams(
        in_channels=in_channels,
        out_channels=_shape(stored, "proj_out.weight")[0],
        num_attention_heads=HEADS,
        attention_head_dim=width // HEADS,
        cross_attention_dim=_shape(stored, f"{_BLOCKS}.0.attn2.to_k.weight")[1],
        num_layers=_layers(stored),
        caption_channels=_shape(stored, "caption_projection.linear_1.weight")[1],
        attention_bias=f"{_BLOCKS}.0.attn1.to_q.bias" in stored,
    )


def transformer_tensors(stored: Mapping[str, StoredTensor]) -> dict[str, StoredTensor]:
    """The transformer's tensors by their names here.

    Args:
        stored: those of the transformer, without the prefix that they have in a file.

    Raises:
        CheckpointError: one of them is no such transformer's.
    """
    table = _here(_OUTSIDE)
    attention = _here(_ATTENTION)
    block = {**placed("attn1", "attn1", attention), **placed("attn2", "attn2", attention), **_here(_OWN)}
    for number in range(_layers(stored)):
        table |= placed(f"{_BLOCKS}.{number}", f"{_BLOCKS}.{number}", block)
    return renamed(stored, table, what="transformer")


def _here(names: Iterable[str]) -> dict[str, str]:
    return {name: TRANSFORMER_PARTS.get(name, name) for name in names}


def _layers(stored: Mapping[str, StoredTensor]) -> int:
    return count_below(f"{_BLOCKS}.", stored)


def _shape(stored: Mapping[str, StoredTensor], name: str) -> tuple[int, ...]:
    return shape_of(stored, name, 2, what="transformer")
