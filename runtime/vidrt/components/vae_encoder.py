"""The encoder of LTX-Video's VAE."""

from vidrt.arrays import FloatArray
from vidrt.components.base import EngineComponent


class VaeEncoder(EngineComponent):
    """Turns frames into the moments of their latents."""

    def __call__(self, frames: FloatArray) -> FloatArray:
        """Frames (B, 3, F, H, W) in [-1, 1] to means, then logarithms of variances: (B, 2·C, F', H', W')."""
        moments: FloatArray = self.run(frames=frames)["moments"]
        return moments
