"""The denoiser of Stable Video Diffusion."""

from vidrt.arrays import FloatArray
from vidrt.components.base import EngineComponent


class UNet(EngineComponent):
    """Predicts the velocity of latents."""

    def __call__(
        self, sample: FloatArray, timestep: FloatArray, image_embeds: FloatArray, added_time_ids: FloatArray
    ) -> FloatArray:
        """One evaluation.

        Args:
            sample: scaled latents and the picture's behind them in the channels, (B, F, 2·C, h, w).
            timestep: a quarter of the logarithm of sigma, (B,).
            image_embeds: (B, 1, D).
            added_time_ids: (B, 3).

        Returns:
            (B, F, C, h, w).
        """
        arrays = {"sample": sample, "timestep": timestep, "image_embeds": image_embeds}
        velocity: FloatArray = self.run(**arrays, added_time_ids=added_time_ids)["velocity"]
        return velocity
