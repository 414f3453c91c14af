"""Where half precision would lose what matters, arithmetic goes to fp32 and back."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from torch import Tensor

_HALF = (torch.float16, torch.bfloat16)


def widened(x: Tensor) -> Tensor:
    """Return half precision as fp32 and anything wider as it is: an fp32 graph gets no cast node."""
    return x.float() if x.dtype in _HALF else x


def narrowed(x: Tensor, dtype: torch.dtype) -> Tensor:
    """Return x in `dtype`, itself where it is that already: an fp32 graph gets no cast node."""
    return x if x.dtype == dtype else x.to(dtype)
