"""Rotary position embedding: tables from coordinates."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from torch import Tensor

BASE = (20.0, 2048.0, 2048.0)  # seconds, pixel rows, pixel columns
THETA = 10000.0


def rope_tables(coordinates: Tensor, dim: int) -> tuple[Tensor, Tensor]:
    """Tabulate cosines and sines of the angle by which each pair of channels of each token turns.

    Args:
        coordinates: (S, 3) of fp32: each token's time in seconds, row and column in pixels.
        dim: the transformer's inner width, even.

    Returns:
        Cosines and sines, each (S, dim / 2) of fp32. The pairs run over frequencies and, within one, over time, row,
        column; the `dim % 6` channels that do not fill a frequency come first and do not turn.
    """
    base = torch.tensor(BASE, dtype=torch.float32, device=coordinates.device)
    spots = coordinates / base * 2 - 1  # (S, 3), -1 to 1 over the base
    exponents = torch.linspace(0.0, 1.0, dim // 6, dtype=torch.float32, device=coordinates.device)
    frequencies = THETA**exponents * math.pi / 2.0
    angles = (spots.unsqueeze(1) * frequencies.unsqueeze(1)).flatten(1)  # (S, dim // 6 * 3)
    angles = torch.nn.functional.pad(angles, (dim % 6 // 2, 0))
    return angles.cos(), angles.sin()
