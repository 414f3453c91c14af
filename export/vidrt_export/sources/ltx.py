"""A checkpoint of LTX-Video, put together from what a source has found of it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from torch import nn
from vidrt_engines import components
from vidrt_engines.names import Component, Family
from vidrt_engines.settings import LtxSettings, SchedulerSettings
from vidrt_reference.checkpoint.errors import CheckpointError
from vidrt_reference.checkpoint.read import read_tensor
from vidrt_reference.checkpoint.stored import StoredTensor
from vidrt_reference.checkpoint.vae import VaeTensors
from vidrt_reference.ltx_video.transformer import Transformer, TransformerParams
from vidrt_reference.ltx_video.vae_decoder import VaeDecoder, injected_noise
from vidrt_reference.ltx_video.vae_encoder import VaeEncoder
from vidrt_reference.ltx_video.vae_params import VaeParams, compression

from vidrt_export.part import Part
from vidrt_export.sources.checkpoint import Checkpoint
from vidrt_export.sources.ltx_stages import decoder_parts, encoder_parts
from vidrt_export.sources.version import versions_of_form

# Latents that are large enough to go through every layer, small enough to trace at once.
_FRAMES, _ROWS, _COLUMNS = 3, 4, 5
_SIZES = {"batch": 2, "text_tokens": 7, "tokens": _FRAMES * _ROWS * _COLUMNS}


@dataclass(frozen=True, kw_only=True)
class Found:
    """What a source has found: each component's parameters and tensors, and which version they are.

    Attributes:
        model_version: the version that it is taken for.
        versions: those that its files fit, oldest first.
        pipeline_class: diffusers' class.
        notes: what is worth saying of a component's weights, by the name of its folder.
    """

    model_version: str
    versions: tuple[str, ...]
    pipeline_class: str
    scheduler: SchedulerSettings
    transformer: TransformerParams
    transformer_tensors: Mapping[str, StoredTensor]
    vae: VaeParams
    vae_tensors: VaeTensors
    text_encoder: Part
    tokenizer: Path
    notes: Mapping[str, str] = field(default_factory=dict)


def ltx_checkpoint(found: Found) -> Checkpoint:
    """The checkpoint, once its components are seen to belong together; of the weights only the statistics are read.

    Raises:
        CheckpointError: they do not.
    """
    _check_widths(found.transformer, found.vae, found.text_encoder)
    parts = (found.text_encoder, _transformer(found), _vae_encoder(found), _vae_decoder(found))
    return Checkpoint(
        family=Family.LTX_VIDEO,
        model_version=found.model_version,
        versions=found.versions,
        settings=_settings(found),
        parts={part.component: part for part in parts},
        tokenizer=found.tokenizer,
    )


def _check_widths(transformer: TransformerParams, vae: VaeParams, text_encoder: Part) -> None:
    pairs = (
        ("the transformer's in_channels", transformer.in_channels, "the VAE's latent_channels", vae.latent_channels),
        ("the transformer's out_channels", transformer.out_channels, "the VAE's latent_channels", vae.latent_channels),
        (
            "the transformer's caption_channels",
            transformer.caption_channels,
            "the text encoder's d_model",
            text_encoder.config["d_model"],
        ),
    )
    for name, value, other_name, other in pairs:
        if value != other:
            raise CheckpointError(
                f"The components do not belong together: {name} is {value} and {other_name} is {other}."
            )


def _settings(found: Found) -> LtxSettings:
    transformer, vae = found.transformer, found.vae
    spatial, temporal = compression(vae)
    statistics = {name: tuple(read_tensor(t).float().tolist()) for name, t in found.vae_tensors.statistics.items()}
    for name, values in statistics.items():
        if len(values) != vae.latent_channels:
            raise CheckpointError(f"The VAE's {name} should have {vae.latent_channels} entries, not {len(values)}.")
    return LtxSettings(
        pipeline_class=found.pipeline_class,
        scheduler=found.scheduler,
        latent_channels=vae.latent_channels,
        spatial_compression=spatial,
        temporal_compression=temporal,
        rope_width=transformer.inner_dim,
        latents_mean=statistics["latents_mean"],
        latents_std=statistics["latents_std"],
        scaling_factor=vae.scaling_factor,
        timestep_conditioning=vae.timestep_conditioning,
        injected_noise=injected_noise(vae),
        versions=versions_of_form(vae, transformer.num_layers),
    )


def _transformer(found: Found) -> Part:
    params = found.transformer
    signature = components.transformer(
        in_channels=params.in_channels,
        out_channels=params.out_channels,
        text_width=params.caption_channels,
        rope_width=params.inner_dim,
        layers=params.num_layers,
    )
    return _part(
        Component.TRANSFORMER, params, Transformer, found.transformer_tensors,
        signature=signature, note=found.notes.get("transformer"),
        rotated_heads=0 if params.attention_head_dim % 2 else params.num_attention_heads,
    )  # fmt: skip


def _vae_encoder(found: Found) -> Part:
    signature = components.vae_encoder(latent_channels=found.vae.latent_channels)
    return _part(
        Component.VAE_ENCODER, found.vae, VaeEncoder, found.vae_tensors.encoder,
        signature=signature, stages=encoder_parts(found.vae),
    )  # fmt: skip


def _vae_decoder(found: Found) -> Part:
    params = found.vae
    signature = components.vae_decoder(
        latent_channels=params.latent_channels,
        timestep_conditioning=params.timestep_conditioning,
        injected_noise=injected_noise(params),
    )
    return _part(
        Component.VAE_DECODER, params, VaeDecoder, found.vae_tensors.decoder,
        signature=signature, note=found.notes.get("vae"), stages=decoder_parts(params),
    )  # fmt: skip


def _part(
    component: Component, params: Any, build: Callable[[Any], nn.Module], tensors: Mapping[str, Any], **more: Any
) -> Part:
    config = {key: value for key, value in vars(params).items() if not key.startswith("_")}
    sizes = {**_SIZES, **_video_sizes(params)} if isinstance(params, VaeParams) else _SIZES
    return Part(component=component, config=config, make=partial(build, params), tensors=tensors, sizes=sizes, **more)


def _video_sizes(vae: VaeParams) -> dict[str, int]:
    spatial, temporal = compression(vae)
    scales = {
        f"{name}_x{scale}": size * scale
        for scale in set(injected_noise(vae))
        for name, size in (("rows", _ROWS), ("columns", _COLUMNS))
    }
    latents = {"latent_frames": _FRAMES, "latent_rows": _ROWS, "latent_columns": _COLUMNS}
    pixels = {"frames": (_FRAMES - 1) * temporal + 1, "rows": _ROWS * spatial, "columns": _COLUMNS * spatial}
    return {**scales, **latents, **pixels}
