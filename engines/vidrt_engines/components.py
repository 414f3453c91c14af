"""Recipes: which tensors each component of LTX-Video takes and gives, for a checkpoint of any width."""

from dataclasses import dataclass

from vidrt_engines.guidance import PERTURBATIONS
from vidrt_engines.names import Component
from vidrt_engines.tensors import Axis, TensorSpec

LATENT_GRID: tuple[Axis, ...] = ("latent_frames", "latent_rows", "latent_columns")


@dataclass(frozen=True, kw_only=True)
class Signature:
    """What an engine takes and gives."""

    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]


def text_encoder(*, width: int) -> Signature:
    """T5: `input_ids` (B, L), only the tokens that count, so no mask, to `embeddings` (B, L, width)."""
    return Signature(
        inputs=(TensorSpec(name="input_ids", dtype="int64", axes=("batch", "text_tokens")),),
        outputs=(float_tensor("embeddings", "batch", "text_tokens", width),),
    )


def transformer(*, in_channels: int, out_channels: int, text_width: int, rope_width: int, layers: int) -> Signature:
    """The denoiser: `latents` (B, S, C) to `velocity` (B, S, C).

    `context` is packed to its real tokens, so there is no mask. `timestep` is 1000·sigma, one for all tokens or one
    each. `rope_cos` and `rope_sin` (S, rope_width / 2) have one entry for each pair of neighbouring channels.
    `perturbation` (B, layers, 3) is 1 where a block is perturbed in one of `guidance.PERTURBATIONS`, else 0.
    """
    return Signature(
        inputs=(
            float_tensor("latents", "batch", "tokens", in_channels),
            float_tensor("context", "batch", "text_tokens", text_width),
            float_tensor("timestep", "batch", "timestep_tokens"),
            float_tensor("rope_cos", "tokens", rope_width // 2),
            float_tensor("rope_sin", "tokens", rope_width // 2),
            float_tensor("perturbation", "batch", layers, len(PERTURBATIONS)),
        ),
        outputs=(float_tensor("velocity", "batch", "tokens", out_channels),),
    )


def vae_encoder(*, latent_channels: int) -> Signature:
    """Frames in [-1, 1] to the moments of the latents: means, then logarithms of variances."""
    return Signature(
        inputs=(float_tensor("frames", "batch", 3, "frames", "rows", "columns"),),
        outputs=(float_tensor("moments", "batch", 2 * latent_channels, *LATENT_GRID),),
    )


def vae_decoder(*, latent_channels: int, timestep_conditioning: bool, injected_noise: tuple[int, ...]) -> Signature:
    """De-normalised latents to frames in [-1, 1].

    `timestep` (B,) exists where the VAE is conditioned on it; `noise_0` … are maps (rows, columns), each as many times
    the latents' rows and columns as `injected_noise` says, shared by all frames.
    """
    timestep = (float_tensor("timestep", "batch"),) if timestep_conditioning else ()
    noise = (float_tensor(f"noise_{i}", f"rows_x{k}", f"columns_x{k}") for i, k in enumerate(injected_noise))
    return Signature(
        inputs=(float_tensor("latents", "batch", latent_channels, *LATENT_GRID), *timestep, *noise),
        outputs=(float_tensor("frames", "batch", 3, "frames", "rows", "columns"),),
    )


def latent_upsampler(*, latent_channels: int) -> Signature:
    """De-normalised latents to those of twice the rows and columns; its sizes are the first of two passes'."""
    rows, columns = "upsampled_rows", "upsampled_columns"
    return Signature(
        inputs=(float_tensor("latents", "batch", latent_channels, *LATENT_GRID),),
        outputs=(float_tensor("upsampled", "batch", latent_channels, "latent_frames", rows, columns),),
    )


RECIPES = {
    Component.TEXT_ENCODER: text_encoder,
    Component.TRANSFORMER: transformer,
    Component.VAE_ENCODER: vae_encoder,
    Component.VAE_DECODER: vae_decoder,
    Component.LATENT_UPSAMPLER: latent_upsampler,
}


def float_tensor(name: str, *axes: str | int) -> TensorSpec:
    """A tensor of fp32: a number for a fixed size, a name for a dynamic axis."""
    return TensorSpec(name=name, dtype="float32", axes=tuple(str(axis) for axis in axes))
