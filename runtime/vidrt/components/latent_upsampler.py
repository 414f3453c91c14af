"""The latent upsampler of LTX-Video, which stands between two passes."""

from vidrt.arrays import FloatArray
from vidrt.components.base import EngineComponent


class LatentUpsampler(EngineComponent):
    """Doubles the rows and columns of latents."""

    def __call__(self, latents: FloatArray) -> FloatArray:
        """Latents (B, C, F, H, W) to (B, C, F, 2·H, 2·W), de-normalised both."""
        upsampled: FloatArray = self.run(latents=latents)["upsampled"]
        return upsampled
