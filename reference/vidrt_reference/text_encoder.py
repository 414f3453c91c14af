"""The T5 v1.1 encoder: from token ids to embeddings of the prompt."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

from torch import Tensor, nn

from vidrt_reference.checkpoint.config import Config
from vidrt_reference.checkpoint.errors import CheckpointError
from vidrt_reference.layers import RMSNorm
from vidrt_reference.relative_positions import RelativePositions
from vidrt_reference.text_encoder_block import TextEncoderBlock

if TYPE_CHECKING:
    from collections.abc import Mapping

# older files hold the token embeddings under both names; `shared.weight` is the one that is read
TIED_NAMES = ("encoder.embed_tokens.weight",)


@dataclass(frozen=True, kw_only=True)
class TextEncoderParams:
    """Widths and depth of the encoder, named as in transformers' config.json; the defaults are T5-v1.1-XXL's."""

    vocab_size: int = 32128
    d_model: int = 4096
    d_kv: int = 64
    d_ff: int = 10240
    num_layers: int = 24
    num_heads: int = 64
    relative_attention_num_buckets: int = 32
    relative_attention_max_distance: int = 128
    layer_norm_epsilon: float = 1e-6

    def __post_init__(self) -> None:
        buckets, distance = self.relative_attention_num_buckets, self.relative_attention_max_distance
        if buckets % 4 or distance <= buckets // 4:
            raise CheckpointError(
                f"The text encoder's relative positions were expected to have a multiple of 4 buckets and a maximum "
                f"distance beyond a quarter of them, but have {buckets} and {distance}: mend its config.json."
            )

    @classmethod
    def from_config(cls, values: Mapping[str, object]) -> Self:
        """Read transformers' config.json; what concerns other tasks and the decoder is ignored.

        Raises:
            CheckpointError: a width is missing or of the wrong type, or it is not the gated tanh-GELU form of T5.
        """
        config = Config(what="text encoder", values=values)
        config.require("model_type", "t5", default="t5")
        config.require("feed_forward_proj", "gated-gelu", default="relu")
        config.require("quantization_config", None, default=None)
        return cls(
            vocab_size=config.integer("vocab_size", None),
            d_model=config.integer("d_model", None),
            d_kv=config.integer("d_kv", None),
            d_ff=config.integer("d_ff", None),
            num_layers=config.integer("num_layers", None),
            num_heads=config.integer("num_heads", None),
            relative_attention_num_buckets=config.integer("relative_attention_num_buckets", 32),
            relative_attention_max_distance=config.integer("relative_attention_max_distance", 128),
            layer_norm_epsilon=config.number("layer_norm_epsilon", 1e-6),
        )


class Stack(nn.Module):
    """The blocks and the norm behind them; the first block's position bias serves all."""

    def __init__(self, params: TextEncoderParams) -> None:
        super().__init__()
        self.positions = RelativePositions(
            buckets=params.relative_attention_num_buckets, max_distance=params.relative_attention_max_distance
        )
        self.block = nn.ModuleList(_block(params, has_bias=number == 0) for number in range(params.num_layers))
        self.final_layer_norm = RMSNorm(params.d_model, eps=params.layer_norm_epsilon)

    def forward(self, x: Tensor) -> Tensor:
        """(B, L, D) -> (B, L, D)."""
        buckets = self.positions(x)
        embedding = self.get_submodule("block.0.layer.0.SelfAttention.relative_attention_bias")
        bias = embedding(buckets).permute(2, 0, 1).unsqueeze(0)  # (1, heads, L, L)
        for block in self.block:
            x = block(x, bias)
        normed: Tensor = self.final_layer_norm(x)
        return normed


class TextEncoder(nn.Module):
    """Embeds the tokens of prompts; parameters are named as in transformers' `T5EncoderModel`."""

    def __init__(self, params: TextEncoderParams) -> None:
        super().__init__()
        self.params = params
        self.shared = nn.Embedding(params.vocab_size, params.d_model)
        self.encoder = Stack(params)

    def forward(self, input_ids: Tensor) -> Tensor:
        """Embed tokens that all count, since there is no mask: (B, L) of int64 -> (B, L, d_model)."""
        embeddings: Tensor = self.encoder(self.shared(input_ids))
        return embeddings


def _block(params: TextEncoderParams, *, has_bias: bool) -> TextEncoderBlock:
    return TextEncoderBlock(
        params.d_model,
        heads=params.num_heads,
        head_dim=params.d_kv,
        feed_forward_dim=params.d_ff,
        eps=params.layer_norm_epsilon,
        buckets=params.relative_attention_num_buckets if has_bias else None,
    )
