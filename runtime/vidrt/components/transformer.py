"""The denoiser of LTX-Video."""

from typing import Any

from vidrt.arrays import FloatArray
from vidrt.components.base import EngineComponent
from vidrt.cuda.arrays import MixedArray


class Transformer(EngineComponent):
    """Predicts the velocity of latent tokens."""

    def __call__(
        self, latents: MixedArray, context: MixedArray, timestep: FloatArray, rope_cos: MixedArray, rope_sin: MixedArray
    ) -> Any:
        """One evaluation.

        Args:
            latents: tokens (B, S, C).
            context: embeddings (B, L, D) of the tokens that count.
            timestep: 1000·sigma, (B, 1) for all tokens or (B, S) for each.
            rope_cos: (S, width / 2).
            rope_sin: (S, width / 2).

        Returns:
            The velocity (B, S, C), on the device if any of the arguments was there.
        """
        arrays = {"latents": latents, "context": context, "timestep": timestep}
        return self.run(**arrays, rope_cos=rope_cos, rope_sin=rope_sin)["velocity"]
