"""A T5 v1.1 encoder in a GGUF file, under the names that llama.cpp gives its tensors."""

from __future__ import annotations

import re
import reprlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from vidrt_reference.checkpoint.errors import CheckpointError
from vidrt_reference.checkpoint.gguf.header import read_gguf_header
from vidrt_reference.checkpoint.gguf.tensors import numbers, pieces
from vidrt_reference.quantised import quantise
from vidrt_reference.text_encoder import TextEncoder, TextEncoderParams

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from torch import nn

    from vidrt_reference.checkpoint.gguf.header import GgufHeader, GgufTensor
    from vidrt_reference.checkpoint.stored import StoredTensor
    from vidrt_reference.quantised import BlockForm

ARCHITECTURES = ("t5encoder", "t5")
_TOP = {
    "token_embd.weight": "shared.weight",
    "enc.output_norm.weight": "encoder.final_layer_norm.weight",
}
_IN_BLOCK = {
    "attn_q.weight": "layer.0.SelfAttention.q.weight",
    "attn_k.weight": "layer.0.SelfAttention.k.weight",
    "attn_v.weight": "layer.0.SelfAttention.v.weight",
    "attn_o.weight": "layer.0.SelfAttention.o.weight",
    "attn_rel_b.weight": "layer.0.SelfAttention.relative_attention_bias.weight",
    "attn_norm.weight": "layer.0.layer_norm.weight",
    "ffn_gate.weight": "layer.1.DenseReluDense.wi_0.weight",
    "ffn_up.weight": "layer.1.DenseReluDense.wi_1.weight",
    "ffn_down.weight": "layer.1.DenseReluDense.wo.weight",
    "ffn_norm.weight": "layer.1.layer_norm.weight",
}
# Norms and the position bias are used whole, and small: they are kept as numbers where they are quantised.
_USED_WHOLE = ("norm.weight", "relative_attention_bias.weight")
# A file of all of T5 has a decoder as well, which no video model uses.
_DECODER = re.compile(r"dec\.|output\.weight$")
_EPS = 1e-6


@dataclass(frozen=True, kw_only=True)
class GgufTextEncoder:
    """A text encoder of which nothing but the header has been read.

    Attributes:
        params: its widths and depth.
        types: the types of its matrices.
        forms: those that stay quantised, by the layer's name.
        tensors: what the parameters and buffers are made of where those stay quantised, by their names.
        numbers: the same weights as floating point numbers, by the names of `TextEncoder`.
    """

    params: TextEncoderParams
    types: tuple[str, ...]
    forms: tuple[tuple[str, BlockForm], ...]
    tensors: Mapping[str, StoredTensor]
    numbers: Mapping[str, StoredTensor]


def read_gguf_text_encoder(path: Path) -> GgufTextEncoder:
    """Look at a T5 encoder in a GGUF file; no weight is read.

    Raises:
        CheckpointError: it is damaged, of another architecture, or of a form of T5 that is not supported.
    """
    header = read_gguf_header(path)
    architecture = header.metadata.get("general.architecture")
    if architecture not in ARCHITECTURES:
        raise CheckpointError(
            f"Expected a T5 encoder in {path}, but its architecture is {reprlib.repr(architecture)}: "
            f"use a GGUF file of T5 v1.1."
        )
    named = _renamed(header)
    params = _params(header, str(architecture), named)
    layers = {name.removesuffix(".weight"): tensor for name, tensor in named.items() if _is_kept(name, tensor, params)}
    kept = {f"{layer}.{piece}": stored for layer, tensor in layers.items() for piece, stored in pieces(tensor).items()}
    others = {name: numbers(tensor) for name, tensor in named.items() if name.removesuffix(".weight") not in layers}
    forms = ((layer, tensor.type.form) for layer, tensor in layers.items() if tensor.type.form is not None)
    return GgufTextEncoder(
        params=params,
        types=tuple(sorted({tensor.type.name for name, tensor in named.items() if _is_matrix(name, tensor)})),
        forms=tuple(forms),
        tensors={**kept, **others},
        numbers={name: numbers(tensor) for name, tensor in named.items()},
    )


def quantised_text_encoder(params: TextEncoderParams, forms: tuple[tuple[str, BlockForm], ...]) -> nn.Module:
    """Build a text encoder of which some layers, by their names, stay in blocks of a form."""
    return quantise(TextEncoder(params), dict(forms))


def _is_kept(name: str, tensor: GgufTensor, params: TextEncoderParams) -> bool:
    """Whether a tensor stays quantised: a matrix that the encoder has and does not use whole."""
    block = re.match(r"encoder\.block\.(\d+)\.", name)
    is_known = int(block[1]) < params.num_layers if block else name == _TOP["token_embd.weight"]
    return is_known and tensor.type.form is not None and _is_matrix(name, tensor)


def _is_matrix(name: str, tensor: GgufTensor) -> bool:
    return len(tensor.shape) == 2 and not name.endswith(_USED_WHOLE)  # noqa: PLR2004 - rows and columns


def _renamed(header: GgufHeader) -> dict[str, GgufTensor]:
    """Tensors by our names; one that is not known keeps its own, for the error that says so."""
    return {_own_name(name): tensor for name, tensor in header.tensors.items() if not _DECODER.match(name)}


def _own_name(name: str) -> str:
    if name in _TOP:
        return _TOP[name]
    found = re.fullmatch(r"enc\.blk\.(0|[1-9]\d{0,2})\.(\w+\.weight)", name)
    return f"encoder.block.{int(found[1])}.{_IN_BLOCK[found[2]]}" if found and found[2] in _IN_BLOCK else name


def _params(header: GgufHeader, architecture: str, named: Mapping[str, GgufTensor]) -> TextEncoderParams:
    """Widths and depth from the shapes of the first block's tensors, with which the metadata must agree."""
    vocabulary, width = _shape(header, named, "token_embd.weight")
    inner, _ = _shape(header, named, "enc.blk.0.attn_q.weight")
    hidden, _ = _shape(header, named, "enc.blk.0.ffn_gate.weight")
    buckets, heads = _shape(header, named, "enc.blk.0.attn_rel_b.weight")
    layers = sum(name.endswith(".SelfAttention.q.weight") for name in named)
    told = {
        "embedding_length": width,
        "feed_forward_length": hidden,
        "block_count": layers,
        "attention.head_count": heads,
        "attention.key_length": inner // heads,
        "attention.relative_buckets_count": buckets,
    }
    for key, value in told.items():
        if (said := header.metadata.get(f"{architecture}.{key}", value)) != value:
            raise CheckpointError(
                f"Expected {architecture}.{key} of {header.path} to be {value}, as its tensors are, but it is "
                f"{reprlib.repr(said)}: convert it again."
            )
    return TextEncoderParams(
        vocab_size=vocabulary,
        d_model=width,
        d_kv=inner // heads,
        d_ff=hidden,
        num_layers=layers,
        num_heads=heads,
        relative_attention_num_buckets=buckets,
        layer_norm_epsilon=_eps(header, architecture),
    )


def _shape(header: GgufHeader, named: Mapping[str, GgufTensor], name: str) -> tuple[int, int]:
    tensor = named.get(_own_name(name))
    if tensor is None or len(tensor.shape) != 2:  # noqa: PLR2004 - rows and columns
        came = "there is none" if tensor is None else f"its shape is {list(tensor.shape)}"
        raise CheckpointError(
            f"Expected a matrix {name} in {header.path}, but {came}: use a GGUF file of T5 v1.1, whose feed-forward "
            f"is gated."
        )
    return tensor.shape[0], tensor.shape[1]


def _eps(header: GgufHeader, architecture: str) -> float:
    keys = [f"{architecture}.attention.{kind}" for kind in ("layer_norm_rms_epsilon", "layer_norm_epsilon")]
    values = [header.metadata[key] for key in keys if key in header.metadata]
    eps = values[0] if values else _EPS
    if not isinstance(eps, float) or not 0 < eps < 1:
        raise CheckpointError(
            f"Expected {keys[0]} of {header.path} above 0, but it is {reprlib.repr(eps)}: convert it again."
        )
    return float(f"{eps:.7g}")  # stored in fp32: 1e-6 again rather than 9.99999997e-07
