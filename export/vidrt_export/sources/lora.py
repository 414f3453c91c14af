"""LoRAs merged into a checkpoint that has been looked at: into the component that denoises."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace

from vidrt_engines.names import Component
from vidrt_reference.checkpoint.errors import CheckpointError
from vidrt_reference.lora.merge import merge
from vidrt_reference.ltx_video.original.names import TRANSFORMER_PARTS

from vidrt_export.lora import Lora
from vidrt_export.sources.checkpoint import Checkpoint

# The components that LoRAs are made for, and what their authors call parts of names.
_TARGETS: Mapping[Component, Mapping[str, str]] = {Component.TRANSFORMER: TRANSFORMER_PARTS, Component.UNET: {}}


def with_loras(checkpoint: Checkpoint, loras: Sequence[Lora], asked: Collection[Component] = ()) -> Checkpoint:
    """The checkpoint with LoRAs in it, one after the other; each weight is made when it is read.

    Args:
        checkpoint: the checkpoint.
        loras: what to merge; a file that is named twice counts twice.
        asked: the components that will be built; empty for all.

    Raises:
        CheckpointError: a LoRA does not fit, or the component that it changes will not be built.
    """
    if not loras:
        return checkpoint
    part = next(part for component, part in checkpoint.parts.items() if component in _TARGETS)
    if asked and part.component not in asked:
        raise CheckpointError(
            f"--lora changes the {part.component.spoken}, which --component leaves out: "
            f"add --component {part.component}, or leave --lora out."
        )
    tensors = part.tensors
    for lora in loras:
        tensors = merge(tensors, lora.adapter, lora.scale, parts=_TARGETS[part.component], what=part.component.spoken)
    changed = replace(part, tensors=tensors, loras=tuple(loras))
    return replace(checkpoint, parts={**checkpoint.parts, part.component: changed})
