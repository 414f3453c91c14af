"""Guidance: one velocity from several."""

import numpy as np

from vidrt.arrays import FloatArray


def classifier_free(conditional: FloatArray, unconditional: FloatArray, scale: float) -> FloatArray:
    """Moves from the unconditional velocity through the conditional one by `scale`; (B, S, C) all."""
    return unconditional + np.float32(scale) * (conditional - unconditional)
