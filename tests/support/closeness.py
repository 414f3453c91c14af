"""How far one tensor is from another."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor

FP32 = 1e-6  # the bar for a reference component in fp32 against its oracle
BF16 = 3e-2


def relative_l2(got: Tensor, wanted: Tensor) -> float:
    """Return the norm of the difference over the norm of what is wanted; shapes must agree and no NaN may hide."""
    assert got.shape == wanted.shape, f"{tuple(got.shape)} is not {tuple(wanted.shape)}"
    assert got.isfinite().all()
    assert wanted.isfinite().all()
    assert wanted.norm() > 0
    return float((got.double() - wanted.double()).norm() / wanted.double().norm())


def below(prefix: str, state: dict[str, Tensor]) -> dict[str, Tensor]:
    """Return the part of a state dict whose names begin so, without the prefix."""
    return {name.removeprefix(prefix): value for name, value in state.items() if name.startswith(prefix)}
