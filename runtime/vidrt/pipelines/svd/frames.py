"""From Stable Video Diffusion's last latents to frames, some at a time."""

from collections.abc import Iterator

import numpy as np

from vidrt.arrays import ByteArray, FloatArray
from vidrt.pipelines.latents import to_bytes, unit_range


def decoder_latents(latents: FloatArray, scaling_factor: float) -> FloatArray:
    """What the VAE's decoder takes, one frame after another: (B, F, C, H, W) to (B·F, C, H, W)."""
    return np.float32(1 / scaling_factor) * latents.reshape(-1, *latents.shape[2:])


def decode_chunks(videos: int, frames: int, size: int | None, *, mixes_videos: bool) -> Iterator[slice]:
    """Which of the B·F frames are decoded together; the decoder takes each chunk for one clip.

    Args:
        videos: B.
        frames: F.
        size: at most how many at once; None for a whole video.
        mixes_videos: cut regardless of where a video ends, as diffusers does: unless `size` divides the frames of a
            video, the temporal layers then blend its end with the next one's beginning.
    """
    size, total = size or frames, videos * frames
    stride = total if mixes_videos else frames
    for start in range(0, total, stride):
        for first in range(start, start + stride, size):
            yield slice(first, min(first + size, start + stride))


def frames_to_bytes(frames: FloatArray, videos: int) -> ByteArray:
    """Decoded frames (B·F, 3, H, W), about in [-1, 1], to bytes (B, F, H, W, 3)."""
    return to_bytes(unit_range(frames.reshape(videos, -1, *frames.shape[1:]).transpose(0, 2, 1, 3, 4)))
