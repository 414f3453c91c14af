"""CLIP's vision transformer with its projection: from an image to its embedding."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

import torch
from torch import Tensor, nn

from vidrt_reference.checkpoint.config import Config
from vidrt_reference.checkpoint.errors import CheckpointError
from vidrt_reference.convolutions import Conv2d
from vidrt_reference.layers import Linear
from vidrt_reference.precision import widened
from vidrt_reference.shapes import merge_axes, positions
from vidrt_reference.svd.image_encoder_block import Activation, ImageEncoderBlock
from vidrt_reference.svd.layers import LayerNorm

if TYPE_CHECKING:
    from collections.abc import Mapping

# older files hold the numbers of the positions too, which are only counted
COUNTED_NAMES = ("vision_model.embeddings.position_ids",)


@dataclass(frozen=True, kw_only=True)
class ImageEncoderParams:
    """Widths and depth of the encoder, named as in transformers' config.json; the defaults are SVD's, ViT-H/14."""

    hidden_size: int = 1280
    intermediate_size: int = 5120
    projection_dim: int = 1024
    num_hidden_layers: int = 32
    num_attention_heads: int = 16
    num_channels: int = 3
    image_size: int = 224
    patch_size: int = 14
    hidden_act: Activation = Activation.GELU
    layer_norm_eps: float = 1e-5

    @property
    def positions(self) -> int:
        """How many tokens an image becomes: its patches, and one for its class."""
        return (self.image_size // self.patch_size) ** 2 + 1

    def __post_init__(self) -> None:
        if self.hidden_size % self.num_attention_heads or self.image_size % self.patch_size:
            raise CheckpointError(
                f"The image encoder's num_attention_heads and patch_size were expected to divide its hidden_size, "
                f"{self.hidden_size}, and image_size, {self.image_size}, but are {self.num_attention_heads} and "
                f"{self.patch_size}: mend its config.json."
            )

    @classmethod
    def from_config(cls, values: Mapping[str, object]) -> Self:
        """Read transformers' config.json, whose own defaults are another CLIP's; what concerns training is ignored.

        Raises:
            CheckpointError: a value is of the wrong type or not implemented.
        """
        config = Config(what="image encoder", values=values)
        config.require("model_type", "clip_vision_model", default=None)
        config.require("quantization_config", None, default=None)
        return cls(
            hidden_size=config.integer("hidden_size", 768),
            intermediate_size=config.integer("intermediate_size", 3072),
            projection_dim=config.integer("projection_dim", 512),
            num_hidden_layers=config.integer("num_hidden_layers", 12),
            num_attention_heads=config.integer("num_attention_heads", 12),
            num_channels=config.integer("num_channels", 3),
            image_size=config.integer("image_size", 224),
            patch_size=config.integer("patch_size", 32),
            hidden_act=Activation(config.word("hidden_act", Activation.QUICK_GELU, allowed=tuple(Activation))),
            layer_norm_eps=config.number("layer_norm_eps", 1e-5),
        )


class Embeddings(nn.Module):
    """A token for the class and one for each patch, told apart by their positions."""

    def __init__(self, params: ImageEncoderParams) -> None:
        super().__init__()
        dim, size = params.hidden_size, params.patch_size
        self.class_embedding = nn.Parameter(torch.zeros(dim))
        self.patch_embedding = Conv2d(params.num_channels, dim, size, stride=size, bias=False)
        self.position_embedding = nn.Embedding(params.positions, dim)

    def forward(self, pixel_values: Tensor) -> Tensor:
        """(B, 3, H, W) -> (B, 1 + patches, D).

        An empty token in front makes the class's place, so that its embedding is repeated for no image.
        """
        patches = merge_axes(self.patch_embedding(pixel_values), 2, 2).transpose(1, 2)
        tokens = nn.functional.pad(patches, (0, 0, 1, 0))
        places = widened(self.position_embedding(positions(tokens, 1)))
        own = nn.functional.pad(
            widened(self.class_embedding).unsqueeze(0), (0, 0, 0, self.position_embedding.num_embeddings - 1)
        )
        return tokens + (own + places)


class Encoder(nn.Module):
    """The layers."""

    def __init__(self, params: ImageEncoderParams) -> None:
        super().__init__()
        self.layers = nn.ModuleList(
            ImageEncoderBlock(
                params.hidden_size,
                heads=params.num_attention_heads,
                hidden_dim=params.intermediate_size,
                activation=params.hidden_act,
                eps=params.layer_norm_eps,
            )
            for _ in range(params.num_hidden_layers)
        )

    def forward(self, x: Tensor) -> Tensor:
        """(B, S, D) -> (B, S, D)."""
        for layer in self.layers:
            x = layer(x)
        return x


class VisionModel(nn.Module):
    """All but the projection."""

    def __init__(self, params: ImageEncoderParams) -> None:
        super().__init__()
        self.embeddings = Embeddings(params)
        self.pre_layrnorm = LayerNorm(params.hidden_size, eps=params.layer_norm_eps)  # as transformers misspells it
        self.encoder = Encoder(params)
        self.post_layernorm = LayerNorm(params.hidden_size, eps=params.layer_norm_eps)

    def forward(self, pixel_values: Tensor) -> Tensor:
        """(B, 3, H, W) -> (B, D), the token of the class."""
        tokens = self.encoder(self.pre_layrnorm(self.embeddings(pixel_values)))
        pooled: Tensor = self.post_layernorm(tokens[:, 0])
        return pooled


class ImageEncoder(nn.Module):
    """Embeds images; parameters are named as in transformers' `CLIPVisionModelWithProjection`."""

    def __init__(self, params: ImageEncoderParams) -> None:
        super().__init__()
        self.params = params
        self.vision_model = VisionModel(params)
        self.visual_projection = Linear(params.hidden_size, params.projection_dim, bias=False)

    def forward(self, pixel_values: Tensor) -> Tensor:
        """Embed normalised images: (B, 3, image_size, image_size) -> (B, projection_dim)."""
        image_embeds: Tensor = self.visual_projection(self.vision_model(pixel_values))
        return image_embeds
