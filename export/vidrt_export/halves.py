"""LTX-Video's transformer with its queries and keys rotated by halves of a head instead of by neighbouring channels.

The scores are the same, since queries and keys are put in the new order alike. OpenVINO has a kernel for it, and
onnxruntime takes as long for either.
"""

import dataclasses
from collections.abc import Callable
from functools import partial

from torch import nn
from vidrt_reference.checkpoint.derived import reordered
from vidrt_reference.ltx_video.rotation import Halves, halves_order

from vidrt_export.part import Part

_REORDERED = ("to_q.weight", "to_q.bias", "to_k.weight", "to_k.bias", "norm_q.weight", "norm_k.weight")


def in_halves(part: Part) -> Part:
    """The same component with each head's channels in another order, where it rotates them; no weight is read."""
    if not part.rotated_heads:
        return part
    tensors = {
        name: reordered(stored, halves_order(stored.shape[0], part.rotated_heads)) if _is_rotated(name) else stored
        for name, stored in part.tensors.items()
    }
    return dataclasses.replace(part, make=partial(_made, part.make), tensors=tensors)


def _is_rotated(name: str) -> bool:
    """Whether it makes queries or keys among latents."""
    return ".attn1." in name and name.endswith(_REORDERED)


def _made(make: Callable[[], nn.Module]) -> nn.Module:
    module = make()
    module.rotation = Halves  # type: ignore[assignment]  # not a module, as mypy takes attributes to be
    return module
