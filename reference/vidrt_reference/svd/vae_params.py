"""The forms of Stable Video Diffusion's VAE: what its config.json says."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

from vidrt_reference.checkpoint.config import Config
from vidrt_reference.checkpoint.errors import CheckpointError
from vidrt_reference.convolutions import NORM_GROUPS

if TYPE_CHECKING:
    from collections.abc import Mapping

# of more layers, diffusers' decoder leaves weights idle in its middle, and of fewer, its attention
LAYERS = 2
_BLOCK = "DownEncoderBlock2D"
_UNREAD = ("sample_size", "force_upcast")  # the size of training, and in which type a pipeline runs it


@dataclass(frozen=True, kw_only=True)
class VaeParams:
    """Both halves of the VAE, named as in diffusers' config.json; the defaults are SVD's.

    The decoder runs through `block_out_channels` from their end.
    """

    in_channels: int = 3
    out_channels: int = 3
    block_out_channels: tuple[int, ...] = (128, 256, 512, 512)
    latent_channels: int = 4
    scaling_factor: float = 0.18215

    @property
    def compression(self) -> int:
        """How many pixels one latent stands for in each direction."""
        return int(2 ** (len(self.block_out_channels) - 1))

    def __post_init__(self) -> None:
        if any(width % NORM_GROUPS for width in self.block_out_channels):
            raise CheckpointError(
                f"The VAE's block_out_channels were expected to be multiples of {NORM_GROUPS}, its norms' groups, but "
                f"are {self.block_out_channels}: mend its config.json."
            )

    @classmethod
    def from_config(cls, values: Mapping[str, object]) -> Self:
        """Read diffusers' config.json; keys that begin with an underscore are ignored.

        Raises:
            CheckpointError: a value is of the wrong type or not implemented, or lists do not fit each other.
        """
        config = Config(what="VAE", values=values)
        config.require("layers_per_block", LAYERS, default=1)
        config.refuse_others({*cls.__dataclass_fields__, *_UNREAD, "layers_per_block", "down_block_types"})
        widths = config.integers("block_out_channels", (64,))
        types = config.words("down_block_types", (_BLOCK,), allowed=(_BLOCK,))
        if len(types) != len(widths):
            raise CheckpointError(
                f"The VAE's config.json was expected to have as many down_block_types as block_out_channels, "
                f"{len(widths)}, but has {len(types)}: mend the file."
            )
        return cls(
            in_channels=config.integer("in_channels", cls.in_channels),
            out_channels=config.integer("out_channels", cls.out_channels),
            block_out_channels=widths,
            latent_channels=config.integer("latent_channels", cls.latent_channels),
            scaling_factor=config.number("scaling_factor", cls.scaling_factor),
        )
