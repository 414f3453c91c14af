"""Where half precision would lose what matters, arithmetic goes to fp32 and back."""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

import torch
from torch import nn

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor

_HALF = (torch.float16, torch.bfloat16)


def widened(x: Tensor) -> Tensor:
    """Return half precision as fp32 and anything wider as it is: an fp32 graph gets no cast node."""
    return x.float() if x.dtype in _HALF else x


def narrowed(x: Tensor, dtype: torch.dtype) -> Tensor:
    """Return x in `dtype`, itself where it is that already: an fp32 graph gets no cast node."""
    return x if x.dtype == dtype else x.to(dtype)


def to_precision(
    module: nn.Module,
    dtype: torch.dtype,
    *,
    wide: Sequence[str] = (),
    streams: Sequence[str] = (),
    ranged: Sequence[str] = (),
) -> nn.Module:
    """Change a module's parameters, on the meta device or not, to compute in `dtype` with islands in fp32.

    Layers narrow what comes in to the type of their weights, and a sum takes the wider type of what is added. So a
    residual stream that begins in fp32 stays in fp32, while every product is computed in `dtype`.

    Args:
        module: changed in place.
        dtype: of all parameters that are not named.
        wide: patterns, as in a shell, of names of modules whose parameters are fp32.
        streams: patterns of names of modules whose output is widened to fp32: where residual streams begin.
        ranged: patterns of names of modules that are bf16 where `dtype` is fp16, whose range is too small for them.

    Returns:
        The module.
    """
    for name, part in module.named_modules():
        part_dtype = torch.float32 if _is_within(name, wide) else dtype
        if dtype is torch.float16 and _is_within(name, ranged):
            part_dtype = torch.bfloat16
        for leaf, value in part._parameters.items():  # noqa: SLF001 - `Module.to` cannot swap fake parameters
            if value is not None and value.is_floating_point():
                part._parameters[leaf] = nn.Parameter(value.to(part_dtype), requires_grad=False)  # noqa: SLF001
        if dtype in _HALF and any(fnmatchcase(name, pattern) for pattern in streams):
            part.register_forward_hook(_widen_output)
    return module


def _is_within(name: str, patterns: Sequence[str]) -> bool:
    """Whether a module or one that it is part of is named by one of the patterns."""
    parts = name.split(".")
    heads = [".".join(parts[: count + 1]) for count in range(len(parts))]
    return any(fnmatchcase(head, pattern) for head in heads for pattern in patterns)


def _widen_output(
    module: nn.Module,  # noqa: ARG001 - torch's signature
    inputs: object,  # noqa: ARG001
    output: Tensor | tuple[Tensor, ...],
) -> Tensor | tuple[Tensor, ...]:
    return tuple(map(widened, output)) if isinstance(output, tuple) else widened(output)
