"""Rotary position embedding: tables from coordinates, and the rotation of neighbouring pairs of channels."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from vidrt_reference.precision import narrowed, widened
from vidrt_reference.shapes import merge_axes, split_axis

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


def rotate(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    """Turn each neighbouring pair of channels, in fp32: x (B, S, D), cos and sin (S, D / 2) -> (B, S, D)."""
    first, second = split_axis(widened(x), 2, [-1, 2]).unbind(-1)  # each (B, S, D / 2)
    turned = torch.stack([first * cos - second * sin, second * cos + first * sin], dim=-1)
    return narrowed(merge_axes(turned, 2, 2), x.dtype)
