"""Encoded clips, and the latents that are drawn from them."""

from dataclasses import dataclass

import numpy as np
from vidrt_engines.settings import LtxSettings

from vidrt.arrays import FloatArray
from vidrt.noise.base import Generator
from vidrt.pipelines.latents import normalise

_LEAST_LOG, _MOST_LOG = np.float32(-30), np.float32(20)


@dataclass(frozen=True, kw_only=True, eq=False)
class EncodedClip:
    """A condition as the VAE's encoder gives it; nothing is drawn from it yet.

    Attributes:
        moments: means, then logarithms of variances, (1, 2·C, f, H, W).
        frame: of the result, where it begins.
        strength: from 0 to 1.
    """

    moments: FloatArray
    frame: int
    strength: float


def sampled(moments: FloatArray, generator: Generator, settings: LtxSettings) -> FloatArray:
    """Draws latents from their distribution and normalises them: moments (1, 2·C, f, H, W) to (1, C, f, H, W)."""
    mean, log_variance = np.split(moments, 2, axis=1)
    deviation = np.exp(np.float32(0.5) * np.clip(log_variance, _LEAST_LOG, _MOST_LOG))
    return normalise(mean + deviation * generator.normal(mean.shape), settings)
