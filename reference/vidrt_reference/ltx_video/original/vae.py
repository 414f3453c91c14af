"""The official VAE's tensors: numbered blocks, of which some are ResNets and others change size or width."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vidrt_reference.checkpoint.keys import placed, renamed
from vidrt_reference.checkpoint.vae import VaeTensors, split_vae

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from vidrt_reference.checkpoint.stored import StoredTensor
    from vidrt_reference.ltx_video.original.blocks import Half, Stage
    from vidrt_reference.ltx_video.original.vae_params import OriginalVae

_STATISTICS = "per_channel_statistics."
_USED = {f"{_STATISTICS}mean-of-means": "latents_mean", f"{_STATISTICS}std-of-means": "latents_std"}
# Left from the training of the model.
_UNUSED = frozenset(f"{_STATISTICS}{name}" for name in ("channel", "mean-of-stds", "mean-of-stds_over_std-of-means"))
_OUTSIDE = {
    "conv_in": "conv_in",
    "conv_out": "conv_out",
    "timestep_scale_multiplier": "timestep_scale_multiplier",
    "last_time_embedder": "time_embedder",
    "last_scale_shift_table": "scale_shift_table",
}
_RESNET = {
    **{
        name: name for name in ("conv1", "conv2", "scale_shift_table", "per_channel_scale1", "per_channel_scale2")
    },
    "norm3.norm": "norm3",
    "conv_shortcut": "conv_shortcut.conv",
}  # fmt: skip


def vae_tensors(stored: Mapping[str, StoredTensor], vae: OriginalVae) -> VaeTensors:
    """The tensors of both halves and the latents' statistics by their names here.

    Args:
        stored: those of the VAE, without the prefix that they have in a file.
        vae: its blocks.

    Raises:
        CheckpointError: one of them is no such VAE's, or a statistic is missing.
    """
    table = dict(_USED)
    for half, blocks, stages in (("encoder", "down_blocks", vae.encoder), ("decoder", "up_blocks", vae.decoder)):
        table |= placed(half, half, {**_OUTSIDE, **dict(_table(blocks, stages))})
    own = {name: tensor for name, tensor in stored.items() if name not in _UNUSED}
    return split_vae(renamed(own, table, what="VAE"))


def _table(blocks: str, half: Half) -> Iterator[tuple[str, str]]:
    yield from _resnets(blocks, "mid_block", half.middle)
    sampler = "downsamplers.0" if blocks == "down_blocks" else "upsamplers.0"
    widening = "conv_out" if blocks == "down_blocks" else "conv_in"
    for number, stage in enumerate(half.stages):
        here = f"{blocks}.{number}"
        yield from _resnets(blocks, here, stage)
        if stage.compress:
            yield f"{blocks}.{stage.compress[0]}", f"{here}.{sampler}"
        if stage.widen:
            yield from placed(f"{blocks}.{stage.widen[0]}", f"{here}.{widening}", _RESNET).items()


def _resnets(blocks: str, here: str, stage: Stage) -> Iterator[tuple[str, str]]:
    there = f"{blocks}.{stage.number}"
    yield f"{there}.time_embedder", f"{here}.time_embedder"
    for number in range(stage.resnets.layers):
        yield from placed(f"{there}.res_blocks.{number}", f"{here}.resnets.{number}", _RESNET).items()
