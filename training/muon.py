"""Muon: momentum whose matrices are made orthogonal, so that faint directions are learnt as fast as strong ones.

An autoencoder of few steps gains most: plain Adam stays for long on one colour axis before it finds the next.
torch.optim.Muon takes matrices only, and computes in bf16, which most CPUs are slow at.
Source: Keller Jordan et al., Muon (2024); the step's size as in Moonshot's Moonlight (2025), that of Adam's.
"""

from collections.abc import Iterable
from typing import Any

import torch

_COEFFICIENTS = (3.4445, -4.7750, 2.0315)
_ROUNDS = 5
_ADAM_LIKE = 0.2  # the root mean square of Adam's steps


class Muon(torch.optim.Optimizer):
    """Steps along orthogonalised momentum; weights of more than two axes count as matrices of their first axis."""

    def __init__(
        self, weights: Iterable[torch.Tensor], lr: float, momentum: float = 0.95, weight_decay: float = 0.01
    ) -> None:
        super().__init__(weights, {"lr": lr, "momentum": momentum, "weight_decay": weight_decay})

    @torch.no_grad()
    def step(self, closure: Any = None) -> None:  # type: ignore[override]
        """One step of all weights that have a gradient."""
        assert closure is None
        for group in self.param_groups:
            for weight in group["params"]:
                if weight.grad is None:
                    continue
                state = self.state[weight]
                mean = state.setdefault("mean", torch.zeros_like(weight))
                mean.lerp_(weight.grad, 1 - group["momentum"])
                ahead = weight.grad.lerp(mean, group["momentum"]).flatten(1)
                size = _ADAM_LIKE * max(ahead.shape) ** 0.5
                weight.mul_(1 - group["lr"] * group["weight_decay"])
                weight.add_(orthogonalised(ahead).view_as(weight), alpha=-group["lr"] * size)


def orthogonalised(matrix: torch.Tensor) -> torch.Tensor:
    """About the nearest matrix (M, N) whose singular values are all near 1, by Newton and Schulz's rounds."""
    a, b, c = _COEFFICIENTS
    wide = matrix if matrix.shape[0] <= matrix.shape[1] else matrix.T
    wide = wide / (wide.norm() + 1e-7)
    for _ in range(_ROUNDS):
        square = wide @ wide.T
        wide = a * wide + (b * square + c * square @ square) @ wide
    return wide if matrix.shape[0] <= matrix.shape[1] else wide.T
