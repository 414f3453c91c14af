"""The forms of Stable Video Diffusion's UNet: what its config.json says."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Self

from vidrt_reference.checkpoint.config import Config
from vidrt_reference.checkpoint.errors import CheckpointError
from vidrt_reference.convolutions import NORM_GROUPS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_UNREAD = ("sample_size",)  # the size of training: any size will do


class DownBlockType(StrEnum):
    """Whether a block on the way down has transformers behind its ResNets."""

    ATTENDING = "CrossAttnDownBlockSpatioTemporal"
    PLAIN = "DownBlockSpatioTemporal"


class UpBlockType(StrEnum):
    """Whether a block on the way up has transformers behind its ResNets."""

    ATTENDING = "CrossAttnUpBlockSpatioTemporal"
    PLAIN = "UpBlockSpatioTemporal"


@dataclass(frozen=True, kw_only=True)
class UNetParams:
    """Widths and depth of the UNet, named as in diffusers' config.json; the defaults are SVD-XT's.

    The lists, but for `up_block_types`, are in the order of the way down; the way up runs through them from their ends.
    """

    in_channels: int = 8
    out_channels: int = 4
    down_block_types: tuple[str, ...] = (DownBlockType.ATTENDING,) * 3 + (DownBlockType.PLAIN,)
    up_block_types: tuple[str, ...] = (UpBlockType.PLAIN,) + (UpBlockType.ATTENDING,) * 3
    block_out_channels: tuple[int, ...] = (320, 640, 1280, 1280)
    addition_time_embed_dim: int = 256
    projection_class_embeddings_input_dim: int = 768
    layers_per_block: int = 2
    cross_attention_dim: int = 1024
    transformer_layers_per_block: int = 1
    num_attention_heads: tuple[int, ...] = (5, 10, 20, 20)
    num_frames: int = 25

    @property
    def embedding_dim(self) -> int:
        """The width of the timestep's embedding."""
        return 4 * self.block_out_channels[0]

    @property
    def time_ids(self) -> int:
        """How many numbers of micro-conditioning the UNet takes."""
        return self.projection_class_embeddings_input_dim // self.addition_time_embed_dim

    def __post_init__(self) -> None:
        count = len(self.block_out_channels)
        for key in ("down_block_types", "up_block_types", "num_attention_heads"):
            if len(getattr(self, key)) != count:
                raise _misfit(key, f"{count}, one for each of block_out_channels", getattr(self, key))
        if any(width % NORM_GROUPS for width in self.block_out_channels):
            raise _misfit(
                "block_out_channels", f"multiples of {NORM_GROUPS}, its norms' groups", self.block_out_channels
            )
        if any(width % heads for width, heads in zip(self.block_out_channels, self.num_attention_heads, strict=True)):
            raise _misfit("num_attention_heads", "divisors of block_out_channels", self.num_attention_heads)
        ids = (self.projection_class_embeddings_input_dim, self.addition_time_embed_dim)
        if ids[0] % ids[1] or ids[1] % 2:
            raise _misfit("addition_time_embed_dim", f"even and divide the {ids[0]} that its projection takes", ids[1])

    @classmethod
    def from_config(cls, values: Mapping[str, object]) -> Self:
        """Read diffusers' config.json; keys that begin with an underscore are ignored.

        Raises:
            CheckpointError: a value is of the wrong type or not implemented, or lists do not fit each other.
        """
        config = Config(what="UNet", values=values)
        config.refuse_others({*cls.__dataclass_fields__, *_UNREAD})
        numbers = [name for name in cls.__dataclass_fields__ if isinstance(getattr(cls, name), int)]
        widths = config.integers("block_out_channels", cls.block_out_channels)
        return cls(
            block_out_channels=widths,
            down_block_types=config.words("down_block_types", cls.down_block_types, allowed=tuple(DownBlockType)),
            up_block_types=config.words("up_block_types", cls.up_block_types, allowed=tuple(UpBlockType)),
            num_attention_heads=_heads(config, len(widths), cls.num_attention_heads),
            **{name: config.integer(name, getattr(cls, name)) for name in numbers},
        )


def _heads(config: Config, count: int, default: Sequence[int]) -> tuple[int, ...]:
    """One number stands for all blocks."""
    if isinstance(config.values.get("num_attention_heads"), int):
        return (config.integer("num_attention_heads", None),) * count
    return config.integers("num_attention_heads", default)


def _misfit(key: str, wanted: str, came: object) -> CheckpointError:
    return CheckpointError(f"The UNet's {key} were expected to be {wanted}, but are {came}: mend its config.json.")
