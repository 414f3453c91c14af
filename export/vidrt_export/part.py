"""One component of a checkpoint, ready to be built."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import nn
from vidrt_engines.components import Signature
from vidrt_engines.names import Component, Family
from vidrt_reference.checkpoint.load import match
from vidrt_reference.checkpoint.stored import StoredTensor

from vidrt_export.lora import Lora

# what a module takes as one tuple, and a graph as inputs with numbers
_GROUPS = ("noise", "state")


@dataclass(frozen=True, kw_only=True)
class StagePart:
    """A graph that does a part of what a component does, on some frames of a video after the other.

    Attributes:
        signature, make, sizes: as of a component, whose parameters it takes.
        first_frames: how many frames the first chunk of a video has at least, unless it is the whole video.
    """

    signature: Signature
    make: Callable[[], nn.Module]
    sizes: Mapping[str, int]
    first_frames: int


@dataclass(frozen=True, kw_only=True)
class Part:
    """A component's architecture and where its weights lie; nothing of them has been read.

    Attributes:
        signature: its tensors.
        config: what decides its graph besides the exporter: it enters the engine's key.
        make: builds the module; called where tensors have no memory.
        tensors: stored tensors by the module's parameter names.
        optional: names that may be stored although the module has none such.
        sizes: for each named axis a size to trace with.
        gguf: the types of a GGUF file's matrices, which stay in their blocks; empty for other files.
        plain: the same component with numbers in their place, for a backend that cannot play the blocks.
        origin: the file that it comes from, where that is not the checkpoint's own.
        loras: what has been merged into the tensors.
        note: a sentence about the weights, for whoever builds them.
        stages: the same component in parts, one after the other, for a backend that plays them.
        rotated_heads: how many heads its queries and keys among latents have, if they are rotated and a pair of
            channels never lies in two of them; else 0.
    """

    component: Component
    family: Family = Family.LTX_VIDEO
    signature: Signature
    config: Mapping[str, object]
    make: Callable[[], nn.Module]
    tensors: Mapping[str, StoredTensor]
    optional: tuple[str, ...] = ()
    sizes: Mapping[str, int] = field(default_factory=dict)
    gguf: str = ""
    plain: "Part | None" = None
    origin: str | None = None
    loras: tuple[Lora, ...] = ()
    note: str | None = None
    stages: tuple[StagePart, ...] = ()
    rotated_heads: int = 0

    @property
    def weight_bytes(self) -> int:
        """The size of the weights as they are stored."""
        return sum(tensor.nbytes for tensor in self.used().values())

    def used(self) -> dict[str, StoredTensor]:
        """The stored tensors that the module takes, by name in alphabetical order."""
        return {name: self.tensors[name] for name in sorted(self.tensors) if name not in self.optional}

    def check(self) -> None:
        """Compares what is stored with what the module expects; no weight is read.

        Raises:
            CheckpointError: keys are missing, left over, or of the wrong shape.
        """
        with torch.device("meta"):
            expected = {name: tuple(value.shape) for name, value in self.make().state_dict().items()}
        match(expected, self.tensors, what=self.component.spoken, optional=self.optional)


def as_arguments(named: Mapping[str, Any]) -> dict[str, Any]:
    """Groups the noise maps, and what a stage keeps, each of which a module takes as one tuple."""
    groups = {group: tuple(value for name, value in named.items() if name.startswith(f"{group}_")) for group in _GROUPS}
    others = {name: value for name, value in named.items() if name.rpartition("_")[0] not in _GROUPS}
    return {**others, **{group: values for group, values in groups.items() if values}}
