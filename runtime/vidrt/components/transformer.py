"""The denoiser of LTX-Video."""

from vidrt.arrays import FloatArray
from vidrt.components.base import EngineComponent


class Transformer(EngineComponent):
    """Predicts the velocity of latent tokens."""

    def __call__(
        self, latents: FloatArray, context: FloatArray, timestep: FloatArray, rope_cos: FloatArray, rope_sin: FloatArray
    ) -> FloatArray:
        """One evaluation.

        Args:
            latents: tokens (B, S, C).
            context: embeddings (B, L, D) of the tokens that count.
            timestep: 1000·sigma, (B, 1) for all tokens or (B, S) for each.
            rope_cos: (S, width / 2).
            rope_sin: (S, width / 2).

        Returns:
            The velocity (B, S, C).
        """
        arrays = {"latents": latents, "context": context, "timestep": timestep}
        return self.run(**arrays, rope_cos=rope_cos, rope_sin=rope_sin)["velocity"]
