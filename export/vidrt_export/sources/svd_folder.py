"""Stable Video Diffusion as diffusers saves it."""

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from torch import nn
from vidrt_engines import svd_components as components
from vidrt_engines.components import Signature
from vidrt_engines.names import Component, Family
from vidrt_engines.svd_settings import KarrasSettings, SvdDefaults, SvdSettings
from vidrt_reference.checkpoint.config import Config
from vidrt_reference.checkpoint.errors import CheckpointError
from vidrt_reference.checkpoint.folder import component_tensors, read_config, read_json_object
from vidrt_reference.checkpoint.stored import StoredTensor
from vidrt_reference.svd.image_encoder import ImageEncoder, ImageEncoderParams
from vidrt_reference.svd.unet import UNet
from vidrt_reference.svd.unet_params import UNetParams
from vidrt_reference.svd.vae_decoder import VaeDecoder
from vidrt_reference.svd.vae_encoder import VaeEncoder
from vidrt_reference.svd.vae_params import VaeParams
from vidrt_reference.svd.vae_tensors import split_vae

from vidrt_export.part import Part
from vidrt_export.sources.checkpoint import Checkpoint
from vidrt_export.sources.model_index import pipeline_class

XT_FRAMES = 25
# Latents that are large enough to go through every layer, small enough to trace at once.
_FRAMES, _ROWS, _COLUMNS = 3, 16, 24
# What the pipeline's scheduler must be; other forms give other noise levels.
_SCHEDULER = {
    "_class_name": "EulerDiscreteScheduler",
    "prediction_type": "v_prediction",
    "timestep_spacing": "leading",
    "timestep_type": "continuous",
    "use_karras_sigmas": True,
}


def read_svd_folder(folder: Path) -> Checkpoint:
    """Looks at a folder: configurations, headers, every key; no weight.

    Raises:
        CheckpointError: what is missing, damaged, of the wrong shape or not supported.
    """
    unet = UNetParams.from_config(read_config(folder / "unet", class_name="UNetSpatioTemporalConditionModel"))
    vae = VaeParams.from_config(read_config(folder / "vae", class_name="AutoencoderKLTemporalDecoder"))
    image_encoder = ImageEncoderParams.from_config(read_config(folder / "image_encoder"))
    _check_widths(unet, vae, image_encoder)
    halves = split_vae(component_tensors(folder / "vae"))
    sizes = _sizes(vae)
    channels = vae.latent_channels
    parts = (
        _part(
            Component.IMAGE_ENCODER, image_encoder, ImageEncoder, component_tensors(folder / "image_encoder"), sizes,
            components.image_encoder(image_size=image_encoder.image_size, width=image_encoder.projection_dim),
        ),
        _part(
            Component.VAE_ENCODER, vae, VaeEncoder, halves.encoder, sizes,
            components.vae_encoder(latent_channels=channels),
        ),
        _part(Component.UNET, unet, UNet, component_tensors(folder / "unet"), sizes, _unet_signature(unet)),
        _part(
            Component.VAE_DECODER, vae, VaeDecoder, halves.decoder, sizes,
            components.vae_decoder(latent_channels=channels),
        ),
    )  # fmt: skip
    version = "svd-xt" if unet.num_frames == XT_FRAMES else "svd"
    return Checkpoint(
        family=Family.SVD,
        model_version=version,
        versions=(version,),
        settings=_settings(folder, unet, vae, image_encoder),
        parts={part.component: part for part in parts},
        tokenizer=None,
    )


def _part(
    component: Component,
    params: Any,
    build: Callable[[Any], nn.Module],
    tensors: Mapping[str, StoredTensor],
    sizes: Mapping[str, int],
    signature: Signature,
) -> Part:
    return Part(
        component=component,
        family=Family.SVD,
        signature=signature,
        config=vars(params),
        make=partial(build, params),
        tensors=tensors,
        # transformers wrote down, up to its version 4.30, which position is which
        optional=("vision_model.embeddings.position_ids",),
        sizes=sizes,
    )


def _unet_signature(unet: UNetParams) -> Signature:
    return components.unet(
        in_channels=unet.in_channels,
        out_channels=unet.out_channels,
        context_width=unet.cross_attention_dim,
        time_ids=unet.time_ids,
    )


def _check_widths(unet: UNetParams, vae: VaeParams, image_encoder: ImageEncoderParams) -> None:
    pairs = (
        ("the UNet's out_channels", unet.out_channels, "the VAE's latent_channels", vae.latent_channels),
        ("the UNet's in_channels", unet.in_channels, "twice the VAE's latent_channels", 2 * vae.latent_channels),
        (
            "the UNet's cross_attention_dim",
            unet.cross_attention_dim,
            "the image encoder's projection_dim",
            image_encoder.projection_dim,
        ),
        ("the UNet's micro-conditionings", unet.time_ids, "what the pipeline gives", 3),
    )
    for name, value, other_name, other in pairs:
        if value != other:
            raise CheckpointError(
                f"The components do not belong together: {name} is {value} and {other_name} is {other}."
            )


def _sizes(vae: VaeParams) -> dict[str, int]:
    latents = {"latent_rows": _ROWS, "latent_columns": _COLUMNS}
    pixels = {"rows": _ROWS * vae.compression, "columns": _COLUMNS * vae.compression}
    return {"batch": 2, "frames": _FRAMES, **latents, **pixels}


def _settings(folder: Path, unet: UNetParams, vae: VaeParams, image_encoder: ImageEncoderParams) -> SvdSettings:
    mean, std = _normalisation(folder / "feature_extractor" / "preprocessor_config.json")
    return SvdSettings(
        pipeline_class=pipeline_class(folder),
        scheduler=_scheduler(folder / "scheduler" / "scheduler_config.json"),
        latent_channels=vae.latent_channels,
        spatial_compression=vae.compression,
        size_step=vae.compression,
        scaling_factor=vae.scaling_factor,
        image_size=image_encoder.image_size,
        image_mean=mean,
        image_std=std,
        embedding_width=image_encoder.projection_dim,
        defaults=SvdDefaults(num_frames=unet.num_frames),
    )


def _normalisation(path: Path) -> tuple[tuple[float, ...], tuple[float, ...]]:
    values = read_json_object(path)
    found = []
    for key in ("image_mean", "image_std"):
        numbers = values.get(key)
        if not isinstance(numbers, list) or len(numbers) != 3 or not all(isinstance(n, (int, float)) for n in numbers):  # noqa: PLR2004 - red, green, blue
            raise CheckpointError(f"{path} should have three numbers as {key}, not {numbers!r}.")
        found.append(tuple(float(number) for number in numbers))
    mean, std = found
    if min(std) <= 0:
        raise CheckpointError(f"{path} should have an image_std above 0 for each channel, not {list(std)}.")
    return mean, std


def _scheduler(path: Path) -> KarrasSettings:
    config = Config(what="scheduler", values=read_json_object(path))
    for key, wanted in _SCHEDULER.items():
        config.require(key, wanted, default=None)
    low, high = config.number("sigma_min", 0.0), config.number("sigma_max", 0.0)
    if not 0 < low < high:
        raise CheckpointError(f"{path} should have 0 < sigma_min < sigma_max, not {low:g} and {high:g}.")
    return KarrasSettings(sigma_min=low, sigma_max=high)
