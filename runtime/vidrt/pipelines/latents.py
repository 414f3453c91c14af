"""Latents: their grid, their packing into tokens, their statistics."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from vidrt_engines.settings import LtxSettings

from vidrt.arrays import ByteArray, FloatArray


@dataclass(frozen=True, kw_only=True)
class LatentGrid:
    """How many latent frames, rows and columns a video has, and what each stands for in frames and pixels."""

    frames: int
    rows: int
    columns: int
    temporal: int
    spatial: int

    @property
    def tokens(self) -> int:
        """The number of latent tokens."""
        return self.frames * self.rows * self.columns


def latent_grid(settings: LtxSettings, height: int, width: int, num_frames: int) -> LatentGrid:
    """The grid of a video of `num_frames` frames of `height` × `width` pixels."""
    return LatentGrid(
        frames=(num_frames - 1) // settings.temporal_compression + 1,
        rows=height // settings.spatial_compression,
        columns=width // settings.spatial_compression,
        temporal=settings.temporal_compression,
        spatial=settings.spatial_compression,
    )


def pack(latents: FloatArray) -> FloatArray:
    """(B, C, F, H, W) to tokens (B, F·H·W, C)."""
    batch, channels = latents.shape[:2]
    return np.ascontiguousarray(latents.reshape(batch, channels, -1).transpose(0, 2, 1))


def unpack(tokens: FloatArray, grid: LatentGrid) -> FloatArray:
    """Tokens (B, F·H·W, C) to (B, C, F, H, W)."""
    batch, _, channels = tokens.shape
    return np.ascontiguousarray(tokens.transpose(0, 2, 1)).reshape(
        batch, channels, grid.frames, grid.rows, grid.columns
    )


def denormalise(latents: FloatArray, settings: LtxSettings) -> FloatArray:
    """What the VAE's decoder takes, from what the denoiser gives; (B, C, F, H, W) both."""
    mean, std = _per_channel(settings.latents_mean), _per_channel(settings.latents_std)
    return latents * std / np.float32(settings.scaling_factor) + mean


def normalise(latents: FloatArray, settings: LtxSettings) -> FloatArray:
    """What the denoiser works on, from what the VAE's encoder gives: undoes `denormalise`."""
    mean, std = _per_channel(settings.latents_mean), _per_channel(settings.latents_std)
    return (latents - mean) * np.float32(settings.scaling_factor) / std


def unit_range(frames: FloatArray) -> FloatArray:
    """Decoded frames in [-1, 1], of any shape, halved and clamped to [0, 1]."""
    return np.clip(frames / 2 + np.float32(0.5), 0, 1)


def to_bytes(frames: FloatArray) -> ByteArray:
    """Frames (B, 3, F, H, W) in [0, 1] to bytes (B, F, H, W, 3): scaled and rounded in fp32."""
    return np.round(frames * 255).astype(np.uint8).transpose(0, 2, 3, 4, 1)


def _per_channel(values: Sequence[float]) -> FloatArray:
    return np.array(values, np.float32).reshape(1, -1, 1, 1, 1)
