"""Inputs of the kind that a component meets, drawn from a fixed seed."""

from collections.abc import Mapping

import torch
from torch import Tensor
from vidrt_engines.tensors import TensorSpec

from vidrt_export.part import Part

_SEED = 20240917
_SIGMA, _DECODE_TIMESTEP = 700.0, 0.05


def example_inputs(part: Part, sizes: Mapping[str, int]) -> dict[str, Tensor]:
    """Arrays by name for a component, on the CPU.

    Token ids are any of the vocabulary; latents, embeddings, frames and noise are normal; tables of the rotary
    embedding are cosines and sines of angles of any size.

    Args:
        part: the component.
        sizes: of its named axes.
    """
    generator = torch.Generator().manual_seed(_SEED)
    return {spec.name: _drawn(spec, part, sizes, generator) for spec in part.signature.inputs}


def _drawn(spec: TensorSpec, part: Part, sizes: Mapping[str, int], generator: torch.Generator) -> Tensor:
    shape = [int(axis) if axis.isdigit() else sizes[axis] for axis in spec.axes]
    if spec.dtype == "int64":
        return torch.randint(int(str(part.config["vocab_size"])), shape, generator=generator)
    if spec.name == "timestep":
        return torch.full(shape, _SIGMA if "timestep_tokens" in spec.axes else _DECODE_TIMESTEP)
    values = torch.randn(shape, generator=generator)
    if spec.name.startswith("rope"):
        # both tables of one set of angles, whichever is drawn first
        angles = 100 * torch.randn(shape, generator=torch.Generator().manual_seed(_SEED))
        return angles.cos() if spec.name.endswith("cos") else angles.sin()
    return values
