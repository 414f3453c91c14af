"""The forms that the blocks of LTX-Video's VAE take, by diffusers' names."""

from __future__ import annotations

from enum import StrEnum


class DownBlockType(StrEnum):
    """How an encoder block changes width: through a ResNet of its own, or in the downsampler (0.9.5 and later)."""

    RESNET = "LTXVideoDownBlock3D"
    DOWNSAMPLER = "LTXVideo095DownBlock3D"


class Downsample(StrEnum):
    """How an encoder block gets smaller: by a strided convolution, or by moving voxels to channels."""

    CONV = "conv"
    SPATIAL = "spatial"
    TEMPORAL = "temporal"
    SPATIOTEMPORAL = "spatiotemporal"

    @property
    def stride(self) -> tuple[int, int, int]:
        """Frames, rows and columns that become one."""
        return _STRIDES[self]


_STRIDES = {
    Downsample.CONV: (2, 2, 2),
    Downsample.SPATIAL: (1, 2, 2),
    Downsample.TEMPORAL: (2, 1, 1),
    Downsample.SPATIOTEMPORAL: (2, 2, 2),
}
