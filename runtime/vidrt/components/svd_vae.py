"""Both halves of Stable Video Diffusion's VAE."""

from vidrt.arrays import FloatArray
from vidrt.components.base import EngineComponent


class SvdVaeEncoder(EngineComponent):
    """Turns a picture into the moments of its latents."""

    def __call__(self, image: FloatArray) -> FloatArray:
        """A picture (1, 3, H, W) in [-1, 1] to means, unscaled, then logarithms of variances: (1, 2·C, h, w)."""
        moments: FloatArray = self.run(image=image)["moments"]
        return moments


class SvdVaeDecoder(EngineComponent):
    """Turns latents into frames."""

    def __call__(self, latents: FloatArray) -> FloatArray:
        """Latents of frames seen together, (B, F, C, h, w), to frames (B, F, 3, 8·h, 8·w), about in [-1, 1]."""
        images: FloatArray = self.run(latents=latents)["images"]
        return images
