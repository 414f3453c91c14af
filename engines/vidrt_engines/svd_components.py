"""Recipes: which tensors each component of Stable Video Diffusion takes and gives, for a checkpoint of any width."""

from vidrt_engines.components import Signature, float_tensor


def image_encoder(*, image_size: int, width: int) -> Signature:
    """CLIP: a normalised image (B, 3, `image_size`, `image_size`) to its embedding (B, width)."""
    return Signature(
        inputs=(float_tensor("pixel_values", "batch", 3, image_size, image_size),),
        outputs=(float_tensor("image_embeds", "batch", width),),
    )


def vae_encoder(*, latent_channels: int) -> Signature:
    """An image in [-1, 1] to the moments of its latents: means, unscaled, then logarithms of variances."""
    return Signature(
        inputs=(float_tensor("image", "batch", 3, "rows", "columns"),),
        outputs=(float_tensor("moments", "batch", 2 * latent_channels, "latent_rows", "latent_columns"),),
    )


def unet(*, in_channels: int, out_channels: int, context_width: int, time_ids: int) -> Signature:
    """The denoiser: scaled latents and the image's behind them in the channels, to `velocity`, (B, F, C, H, W) both.

    `timestep` (B,) is a quarter of the logarithm of sigma; `added_time_ids` are frames a second less one, the motion
    bucket and the strength of the noise augmentation.
    """
    grid = ("latent_rows", "latent_columns")
    return Signature(
        inputs=(
            float_tensor("sample", "batch", "frames", in_channels, *grid),
            float_tensor("timestep", "batch"),
            float_tensor("image_embeds", "batch", 1, context_width),
            float_tensor("added_time_ids", "batch", time_ids),
        ),
        outputs=(float_tensor("velocity", "batch", "frames", out_channels, *grid),),
    )


def vae_decoder(*, latent_channels: int) -> Signature:
    """Latents of frames that are seen together, divided by the scaling factor, to frames in [-1, 1]."""
    return Signature(
        inputs=(float_tensor("latents", "batch", "frames", latent_channels, "latent_rows", "latent_columns"),),
        outputs=(float_tensor("images", "batch", "frames", 3, "rows", "columns"),),
    )
