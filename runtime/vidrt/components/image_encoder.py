"""The image encoder of Stable Video Diffusion, CLIP."""

from vidrt.arrays import FloatArray
from vidrt.components.base import EngineComponent


class ImageEncoder(EngineComponent):
    """Turns a picture into its embedding."""

    def __call__(self, pixel_values: FloatArray) -> FloatArray:
        """A normalised picture (1, 3, 224, 224) to its embedding (1, D)."""
        embedding: FloatArray = self.run(pixel_values=pixel_values)["image_embeds"]
        return embedding
