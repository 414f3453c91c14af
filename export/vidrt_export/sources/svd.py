"""A checkpoint of Stable Video Diffusion, put together from what a source has found of it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from torch import nn
from vidrt_engines import svd_components as components
from vidrt_engines.components import Signature
from vidrt_engines.names import Component, Family
from vidrt_engines.svd_settings import KarrasSettings, SvdDefaults, SvdSettings
from vidrt_reference.checkpoint.errors import CheckpointError
from vidrt_reference.checkpoint.stored import StoredTensor
from vidrt_reference.svd.image_encoder import COUNTED_NAMES, ImageEncoder, ImageEncoderParams
from vidrt_reference.svd.unet import UNet
from vidrt_reference.svd.unet_params import UNetParams
from vidrt_reference.svd.vae_decoder import VaeDecoder
from vidrt_reference.svd.vae_encoder import VaeEncoder
from vidrt_reference.svd.vae_params import VaeParams
from vidrt_reference.svd.vae_tensors import VaeTensors

from vidrt_export.part import Part
from vidrt_export.sources.checkpoint import Checkpoint

XT_FRAMES = 25
# Latents that are large enough to go through every layer, small enough to trace at once.
_FRAMES, _ROWS, _COLUMNS = 3, 16, 24


@dataclass(frozen=True, kw_only=True)
class Found:
    """What a source has found: each component's parameters and tensors, and how pictures and noise are treated.

    Attributes:
        image_mean, image_std: how the image encoder's input is normalised, one entry a channel.
        scheduler: the noise levels.
    """

    unet: UNetParams
    unet_tensors: Mapping[str, StoredTensor]
    vae: VaeParams
    vae_tensors: VaeTensors
    image_encoder: ImageEncoderParams
    image_encoder_tensors: Mapping[str, StoredTensor]
    image_mean: tuple[float, ...]
    image_std: tuple[float, ...]
    scheduler: KarrasSettings


def svd_checkpoint(found: Found) -> Checkpoint:
    """The checkpoint, once its components are seen to belong together.

    Raises:
        CheckpointError: they do not.
    """
    _check_widths(found.unet, found.vae, found.image_encoder)
    version = "svd-xt" if found.unet.num_frames == XT_FRAMES else "svd"
    return Checkpoint(
        family=Family.SVD,
        model_version=version,
        versions=(version,),
        settings=_settings(found),
        parts={part.component: part for part in _parts(found)},
        tokenizer=None,
    )


def _parts(found: Found) -> tuple[Part, ...]:
    unet, vae, image_encoder = found.unet, found.vae, found.image_encoder
    sizes, channels = _sizes(vae), vae.latent_channels
    return (
        _part(
            Component.IMAGE_ENCODER, image_encoder, ImageEncoder, found.image_encoder_tensors, sizes,
            components.image_encoder(image_size=image_encoder.image_size, width=image_encoder.projection_dim),
        ),
        _part(
            Component.VAE_ENCODER, vae, VaeEncoder, found.vae_tensors.encoder, sizes,
            components.vae_encoder(latent_channels=channels),
        ),
        _part(Component.UNET, unet, UNet, found.unet_tensors, sizes, _unet_signature(unet)),
        _part(
            Component.VAE_DECODER, vae, VaeDecoder, found.vae_tensors.decoder, sizes,
            components.vae_decoder(latent_channels=channels),
        ),
    )  # fmt: skip


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
        optional=COUNTED_NAMES,
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


def _settings(found: Found) -> SvdSettings:
    return SvdSettings(
        pipeline_class="StableVideoDiffusionPipeline",
        scheduler=found.scheduler,
        latent_channels=found.vae.latent_channels,
        spatial_compression=found.vae.compression,
        size_step=found.vae.compression,
        scaling_factor=found.vae.scaling_factor,
        image_size=found.image_encoder.image_size,
        image_mean=found.image_mean,
        image_std=found.image_std,
        embedding_width=found.image_encoder.projection_dim,
        defaults=SvdDefaults(num_frames=found.unet.num_frames),
    )
