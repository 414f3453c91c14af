"""The denoiser of LTX-Video."""

from typing import Any

import numpy as np
from vidrt_engines.guidance import PERTURBATIONS

from vidrt.arrays import FloatArray
from vidrt.components.base import EngineComponent
from vidrt.cuda.arrays import MixedArray

_PERTURBATION = "perturbation"


class Transformer(EngineComponent):
    """Predicts the velocity of latent tokens."""

    @property
    def layers(self) -> int:
        """How many blocks it has; 0 for an engine that was built before blocks could be perturbed."""
        inputs = {spec.name: spec for spec in self.engine.engine.inputs}
        return int(inputs[_PERTURBATION].axes[1]) if _PERTURBATION in inputs else 0

    def __call__(
        self, latents: MixedArray, context: MixedArray, timestep: FloatArray, rope_cos: MixedArray,
        rope_sin: MixedArray, perturbation: FloatArray | None = None,
    ) -> Any:  # fmt: skip
        """One evaluation.

        Args:
            latents: tokens (B, S, C).
            context: embeddings (B, L, D) of the tokens that count.
            timestep: 1000·sigma, (B, 1) for all tokens or (B, S) for each.
            rope_cos: (S, width / 2).
            rope_sin: (S, width / 2).
            perturbation: (B, layers, 3), 1 where a block is perturbed in one of `guidance.PERTURBATIONS`, else 0;
                None for no block.

        Returns:
            The velocity (B, S, C), on the device if any of the arguments was there.
        """
        arrays = {"latents": latents, "context": context, "timestep": timestep}
        if self.layers:
            none = np.zeros((len(latents), self.layers, len(PERTURBATIONS)), np.float32)
            arrays[_PERTURBATION] = none if perturbation is None else perturbation
        return self.run(**arrays, rope_cos=rope_cos, rope_sin=rope_sin)["velocity"]
