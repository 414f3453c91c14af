"""The UNet in its original layout: numbered blocks, in which a ResNet, a transformer and a resampler follow each other.

Source: `VideoUNet` of Stability AI's generative-models.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from vidrt_reference.checkpoint.errors import CheckpointError
from vidrt_reference.checkpoint.keys import count_below, placed, renamed, shape_of
from vidrt_reference.svd.unet_params import DownBlockType, UNetParams, UpBlockType

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from vidrt_reference.checkpoint.stored import StoredTensor

HEAD_WIDTH = 64  # `num_head_channels`
MICRO_CONDITIONINGS = 3  # frames a second, motion bucket, noise augmentation

_OUTSIDE = {
    "time_embed.0": "time_embedding.linear_1",
    "time_embed.2": "time_embedding.linear_2",
    "label_emb.0.0": "add_embedding.linear_1",
    "label_emb.0.2": "add_embedding.linear_2",
    "input_blocks.0.0": "conv_in",
    "out.0": "conv_norm_out",
    "out.2": "conv_out",
}
_HALF = {
    "in_layers.0": "norm1",
    "in_layers.2": "conv1",
    "emb_layers.1": "time_emb_proj",
    "out_layers.0": "norm2",
    "out_layers.3": "conv2",
    "skip_connection": "conv_shortcut",
}
_RESNET = {
    **{theirs: f"spatial_res_block.{ours}" for theirs, ours in _HALF.items()},
    **{f"time_stack.{theirs}": f"temporal_res_block.{ours}" for theirs, ours in _HALF.items()},
    "time_mixer": "time_mixer",
}
_TRANSFORMER = {
    **{name: name for name in ("norm", "proj_in", "proj_out", "transformer_blocks", "time_mixer")},
    "time_stack": "temporal_transformer_blocks",
    "time_pos_embed.0": "time_pos_embed.linear_1",
    "time_pos_embed.2": "time_pos_embed.linear_2",
}


def unet_params(stored: Mapping[str, StoredTensor], num_frames: int) -> UNetParams:
    """What the UNet's shapes tell of it; the number of frames they do not.

    Raises:
        CheckpointError: a tensor is missing that says how wide or deep it is.
    """
    form = _Form.of(stored)
    widths = tuple(_shape(stored, f"{block}.0.out_layers.3.weight", 4)[0] for block in form.first_blocks())
    attends = tuple(f"{block}.1.norm.weight" in stored for block in form.first_blocks())
    attending = next((block for block, has in zip(form.first_blocks(), attends, strict=True) if has), None)
    if attending is None:
        raise CheckpointError("Expected a UNet with transformers in its blocks, but it has none: use another file.")
    numbers = _shape(stored, "label_emb.0.0.weight", 2)[1]
    return UNetParams(
        in_channels=_shape(stored, "input_blocks.0.0.weight", 4)[1],
        out_channels=_shape(stored, "out.2.weight", 4)[0],
        block_out_channels=widths,
        down_block_types=tuple(DownBlockType.ATTENDING if has else DownBlockType.PLAIN for has in attends),
        up_block_types=tuple(UpBlockType.ATTENDING if has else UpBlockType.PLAIN for has in reversed(attends)),
        projection_class_embeddings_input_dim=numbers,
        addition_time_embed_dim=numbers // MICRO_CONDITIONINGS,
        layers_per_block=form.resnets,
        cross_attention_dim=_shape(stored, f"{attending}.1.transformer_blocks.0.attn2.to_k.weight", 2)[1],
        transformer_layers_per_block=count_below(f"{attending}.1.transformer_blocks.", stored),
        num_attention_heads=tuple(max(1, one // HEAD_WIDTH) for one in widths),
        num_frames=num_frames,
    )


def unet_tensors(stored: Mapping[str, StoredTensor]) -> dict[str, StoredTensor]:
    """The UNet's tensors by their names here.

    Raises:
        CheckpointError: one of them is no UNet's.
    """
    return renamed(stored, dict(_table(_Form.of(stored))), what="UNet")


@dataclass(frozen=True, kw_only=True)
class _Form:
    """How many levels there are, and how many ResNets in each on the way down."""

    levels: int
    resnets: int

    @classmethod
    def of(cls, stored: Mapping[str, StoredTensor]) -> _Form:
        blocks = count_below("input_blocks.", stored)
        levels = 1 + sum(f"input_blocks.{number}.0.op.weight" in stored for number in range(blocks))
        resnets, rest = divmod(blocks - levels, levels)
        if rest or resnets < 1:
            raise CheckpointError(
                f"Expected a UNet with as many ResNets in each of its {levels} levels, but it has {blocks} blocks on "
                f"the way down: the file is damaged or of another architecture."
            )
        return cls(levels=levels, resnets=resnets)

    def first_blocks(self) -> list[str]:
        """The first block of each level on the way down."""
        return [f"input_blocks.{1 + level * (self.resnets + 1)}" for level in range(self.levels)]


def _table(form: _Form) -> Iterator[tuple[str, str]]:
    yield from _OUTSIDE.items()
    for level in range(form.levels):
        first = 1 + level * (form.resnets + 1)
        for number in range(form.resnets):
            yield from _block(f"input_blocks.{first + number}", f"down_blocks.{level}", number)
        yield f"input_blocks.{first + form.resnets}.0.op", f"down_blocks.{level}.downsamplers.0.conv"
        for number in range(form.resnets + 1):
            block = f"output_blocks.{level * (form.resnets + 1) + number}"
            yield from _block(block, f"up_blocks.{level}", number)
            # the upsampler comes last: after the ResNet, or after the transformer too
            yield f"{block}.1.conv", f"up_blocks.{level}.upsamplers.0.conv"
            yield f"{block}.2.conv", f"up_blocks.{level}.upsamplers.0.conv"
    yield from placed("middle_block.0", "mid_block.resnets.0", _RESNET).items()
    yield from placed("middle_block.1", "mid_block.attentions.0", _TRANSFORMER).items()
    yield from placed("middle_block.2", "mid_block.resnets.1", _RESNET).items()


def _block(old: str, new: str, number: int) -> Iterator[tuple[str, str]]:
    yield from placed(f"{old}.0", f"{new}.resnets.{number}", _RESNET).items()
    yield from placed(f"{old}.1", f"{new}.attentions.{number}", _TRANSFORMER).items()


def _shape(stored: Mapping[str, StoredTensor], name: str, axes: int) -> tuple[int, ...]:
    return shape_of(stored, name, axes, what="UNet")
