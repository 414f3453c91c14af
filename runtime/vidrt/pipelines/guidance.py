"""Guidance: one velocity from several."""

import numpy as np

from vidrt.cuda.arrays import Array


def classifier_free(conditional: Array, unconditional: Array, scale: float) -> Array:
    """Moves from the unconditional velocity through the conditional one by `scale`; (B, S, C) all."""
    return unconditional + np.float32(scale) * (conditional - unconditional)
