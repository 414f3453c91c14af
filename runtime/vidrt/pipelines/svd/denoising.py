"""The denoising of Stable Video Diffusion's latents, one step at a time."""

import numpy as np

from vidrt.arrays import FloatArray
from vidrt.components.unet import UNet
from vidrt.pipelines.svd.conditioning import added_time_ids, image_embeddings, image_latents, unet_sample
from vidrt.pipelines.svd.guidance import frame_guidance, guidance_scales, is_guided
from vidrt.pipelines.svd.request import SvdRun
from vidrt.schedulers.euler_karras import euler_step


class SvdDenoiser:
    """Steps from one noise level to the next; what does not change between steps is made once.

    Args:
        unet: the denoiser.
        run: what is being made.
        embedding: CLIP's of the picture, (1, D).
        mode: of the picture's latents, (1, C, h, w).
    """

    def __init__(self, unet: UNet, run: SvdRun, embedding: FloatArray, mode: FloatArray) -> None:
        self._unet = unet
        self._scales = guidance_scales(run.min_guidance_scale, run.max_guidance_scale, run.num_frames)
        self._is_guided = is_guided(self._scales)
        self._pictures = image_latents(mode, run.num_videos, run.num_frames, guided=False)
        self._embeds = image_embeddings(embedding, run.num_videos, guided=False)
        self._ids = added_time_ids(run, guided=False)

    def step(self, latents: FloatArray, timestep: np.float32, sigma: np.float32, following: np.float32) -> FloatArray:
        """Takes latents (B, F, C, h, w) from one noise level to the following."""
        return euler_step(latents, self.velocity(latents, timestep, sigma), sigma, following)

    def velocity(self, latents: FloatArray, timestep: np.float32, sigma: np.float32) -> FloatArray:
        """The velocity at a noise level: one evaluation, or two where guidance is on, without and with the picture.

        One after the other, two evaluations need half the memory that both in one batch would.
        """
        conditional = self._evaluated(latents, timestep, sigma, self._pictures, self._embeds)
        if not self._is_guided:
            return conditional
        nothing = np.zeros_like(self._pictures), np.zeros_like(self._embeds)
        return frame_guidance(conditional, self._evaluated(latents, timestep, sigma, *nothing), self._scales)

    def _evaluated(
        self, latents: FloatArray, timestep: np.float32, sigma: np.float32, pictures: FloatArray, embeds: FloatArray
    ) -> FloatArray:
        times = np.full(len(latents), timestep, np.float32)
        return self._unet(unet_sample(latents, sigma, pictures), times, embeds, self._ids)
