"""The text encoder, T5."""

from vidrt.arrays import FloatArray, IntArray
from vidrt.components.base import EngineComponent


class TextEncoder(EngineComponent):
    """Turns token ids into embeddings."""

    def __call__(self, input_ids: IntArray) -> FloatArray:
        """Embeds tokens that all count: (B, L) to (B, L, D)."""
        embeddings: FloatArray = self.run(input_ids=input_ids)["embeddings"]
        return embeddings
