"""The UNet and the image encoder, which learn together."""

import torch
from diffusers import UNetSpatioTemporalConditionModel
from torch import nn
from transformers import CLIPVisionConfig, CLIPVisionModelWithProjection

from training.svd import config


class Denoiser(nn.Module):
    """From noisy latents and a picture to clean latents, preconditioned as Stable Video Diffusion's scheduler does."""

    def __init__(self) -> None:
        super().__init__()
        self.image_encoder = CLIPVisionModelWithProjection(CLIPVisionConfig(**config.IMAGE_ENCODER))
        self.unet = UNetSpatioTemporalConditionModel(**config.UNET)
        nn.init.zeros_(self.unet.conv_out.weight)

    def forward(
        self,
        noisy: torch.Tensor,
        sigma: torch.Tensor,
        picture: torch.Tensor,
        pixels: torch.Tensor,
        time_ids: torch.Tensor,
        kept: torch.Tensor,
    ) -> torch.Tensor:
        """The velocity.

        Args:
            noisy: latents (B, F, C, h, w) with noise of the level `sigma`.
            sigma: (B,).
            picture: its latents, as encoded, (B, C, h, w).
            pixels: the picture as the image encoder takes it, (B, 3, 224, 224).
            time_ids: frames a second less one, motion bucket, noise augmentation: (B, 3).
            kept: 1, or 0 for each video whose picture is withheld: (B,).

        Returns:
            (B, F, C, h, w).
        """
        embeds = self.image_encoder(pixels).image_embeds * kept[:, None]
        pictures = (picture * kept.view(-1, 1, 1, 1))[:, None].expand_as(noisy)
        scaled = noisy / (sigma.square() + 1).sqrt().view(-1, 1, 1, 1, 1)
        sample = torch.cat([scaled, pictures], dim=2)
        velocity: torch.Tensor = self.unet(sample, sigma.log() / 4, embeds[:, None], time_ids).sample
        return velocity
