"""The decoder of LTX-Video's VAE."""

from collections.abc import Sequence

import numpy as np

from vidrt.arrays import FloatArray
from vidrt.components.base import EngineComponent
from vidrt.sessions.component_engine import ComponentEngine


class VaeDecoder(EngineComponent):
    """Turns latents into frames."""

    def __init__(
        self, engine: ComponentEngine, injected_noise: Sequence[int] = (), timestep: float | None = None
    ) -> None:
        super().__init__(engine)
        self._scales, self._timestep = tuple(injected_noise), timestep

    def noise_shapes(self, rows: int, columns: int) -> list[tuple[int, int]]:
        """The shapes of the noise maps that decoding latents of this size takes, in the order they are drawn."""
        return [(rows * scale, columns * scale) for scale in self._scales]

    def __call__(
        self, latents: FloatArray, timestep: float | None = None, noise: Sequence[FloatArray] | None = None
    ) -> FloatArray:
        """Decodes.

        Args:
            latents: de-normalised, (B, C, F, H, W).
            timestep: for a decoder that is conditioned on one; None takes the model version's.
            noise: maps of `noise_shapes`; None injects none.

        Returns:
            Frames (B, 3, 8·(F - 1) + 1, 32·H, 32·W), about in [-1, 1].
        """
        arrays = {"latents": latents, **self._maps(noise, latents.shape[3], latents.shape[4])}
        if self._timestep is not None:
            value = self._timestep if timestep is None else timestep
            arrays["timestep"] = np.full(len(latents), value, np.float32)
        frames: FloatArray = self.run(**arrays)["frames"]
        return frames

    def _maps(self, noise: Sequence[FloatArray] | None, rows: int, columns: int) -> dict[str, FloatArray]:
        if noise is None:
            noise = [np.zeros(shape, np.float32) for shape in self.noise_shapes(rows, columns)]
        return {f"noise_{i}": values for i, values in enumerate(noise)}
