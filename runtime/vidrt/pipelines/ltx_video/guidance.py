"""Guidance: one velocity from several."""

import numpy as np
from vidrt_engines.guidance import PERTURBATIONS, StepGuidance, StgMode

from vidrt.arrays import FloatArray
from vidrt.cuda.arrays import Array

_TINY = np.float32(1e-8)


def classifier_free(conditional: Array, unconditional: Array, scale: float) -> Array:
    """Moves from the unconditional velocity through the conditional one by `scale`; (B, S, C) all."""
    return unconditional + np.float32(scale) * (conditional - unconditional)


def spatio_temporal(velocity: Array, conditional: Array, perturbed: Array, scale: float) -> Array:
    """Moves a velocity away from what the perturbed model says, by `scale`; (B, S, C) all."""
    return velocity + np.float32(scale) * (conditional - perturbed)


def nearest(unconditional: FloatArray, conditional: FloatArray) -> FloatArray:
    """The multiple of the unconditional velocity that is nearest to the conditional one, by video; (B, S, C) both."""
    along = (conditional * unconditional).sum(axis=(1, 2), keepdims=True)
    length = np.square(unconditional).sum(axis=(1, 2), keepdims=True) + _TINY
    nearer: FloatArray = along / length * unconditional
    return nearer


def rescaled(velocity: FloatArray, conditional: FloatArray, share: float) -> FloatArray:
    """Brings a velocity's deviation, by video, back to the conditional one's, as far as `share` says; (B, S, C)."""
    deviations = [values.std(axis=(1, 2), ddof=1, keepdims=True) for values in (conditional, velocity)]
    factor = np.float32(share) * (deviations[0] / deviations[1]) + np.float32(1 - share)
    brought_back: FloatArray = velocity * factor
    return brought_back


def is_guided(guidance: StepGuidance) -> bool:
    """Whether a step looks at the negative prompt."""
    return guidance.scale > 1


def stg_scale(guidance: StepGuidance, layers: int) -> float:
    """The scale of spatio-temporal guidance in a model of so many blocks: 0 where it has none of those named."""
    is_there = not guidance.blocks or min(guidance.blocks) < layers
    return guidance.stg_scale if is_there and guidance.stg_scale > 0 else 0.0


def perturbation(guidance: StepGuidance, mode: StgMode, layers: int) -> FloatArray | None:
    """What the transformer's input says of the blocks to be perturbed: (1, layers, 3); None where nothing changes."""
    blocks = [block for block in guidance.blocks if block < layers]
    if not blocks or guidance.stg_scale <= 0 or mode is StgMode.RESIDUAL:
        return None
    table = np.zeros((1, layers, len(PERTURBATIONS)), np.float32)
    table[:, blocks, PERTURBATIONS.index(mode)] = 1
    return table
