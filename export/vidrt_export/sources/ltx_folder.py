"""LTX-Video as diffusers saves it: a folder for each component and model_index.json at the top."""

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from torch import nn
from vidrt_engines import components
from vidrt_engines.names import Component, Family
from vidrt_engines.settings import LtxSettings
from vidrt_reference.checkpoint.errors import CheckpointError
from vidrt_reference.checkpoint.folder import component_tensors, read_config, read_json_object
from vidrt_reference.checkpoint.read import read_tensor
from vidrt_reference.checkpoint.vae import VaeTensors, split_vae
from vidrt_reference.ltx_video.transformer import Transformer, TransformerParams
from vidrt_reference.ltx_video.vae_decoder import VaeDecoder, injected_noise
from vidrt_reference.ltx_video.vae_encoder import VaeEncoder
from vidrt_reference.ltx_video.vae_params import VaeParams, compression
from vidrt_reference.ltx_video.vae_plan import read_vae_params

from vidrt_export.part import Part
from vidrt_export.sources.checkpoint import Checkpoint
from vidrt_export.sources.model_index import pipeline_class
from vidrt_export.sources.scheduler import scheduler_settings
from vidrt_export.sources.text_encoder import T5Choice, read_text_encoder
from vidrt_export.sources.version import chosen_version, fitting_versions, versions_of_form
from vidrt_export.tokenizer import find_tokenizer

# Latents that are large enough to go through every layer, small enough to trace at once.
_FRAMES, _ROWS, _COLUMNS = 3, 4, 5
_SIZES = {"batch": 2, "text_tokens": 7, "tokens": _FRAMES * _ROWS * _COLUMNS}


def read_ltx_folder(
    folder: Path, version: str | None = None, *, title: str | None = None, t5: T5Choice | None = None
) -> Checkpoint:
    """Looks at a diffusers folder: configurations, headers, every key; no weights but the latents' statistics.

    Args:
        folder: the one that holds model_index.json.
        version: the version of LTX-Video, where the caller knows it.
        title: what tells the version, by default the folder's name.
        t5: which text encoder is asked for.

    Raises:
        CheckpointError: what is missing, damaged, of the wrong shape or not supported.
    """
    name = pipeline_class(folder)
    transformer = TransformerParams.from_config(
        read_config(folder / "transformer", class_name="LTXVideoTransformer3DModel")
    )
    vae = read_vae_params(read_config(folder / "vae", class_name="AutoencoderKLLTXVideo"))
    text_encoder = read_text_encoder(folder, t5)
    _check_widths(transformer, vae, text_encoder)
    halves = split_vae(component_tensors(folder / "vae"))
    versions = fitting_versions(vae, transformer.num_layers, title or folder.resolve().name.lower())
    parts = (
        text_encoder,
        _transformer(transformer, folder),
        _vae_encoder(vae, halves),
        _vae_decoder(vae, halves),
    )
    return Checkpoint(
        family=Family.LTX_VIDEO,
        model_version=chosen_version(version, versions),
        versions=versions,
        settings=_settings(folder, name, transformer, vae, halves),
        parts={part.component: part for part in parts},
        tokenizer=find_tokenizer(folder),
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


def _settings(
    folder: Path, class_name: str, transformer: TransformerParams, vae: VaeParams, halves: VaeTensors
) -> LtxSettings:
    spatial, temporal = compression(vae)
    statistics = {name: tuple(read_tensor(t).float().tolist()) for name, t in halves.statistics.items()}
    for name, values in statistics.items():
        if len(values) != vae.latent_channels:
            raise CheckpointError(f"The VAE's {name} should have {vae.latent_channels} entries, not {len(values)}.")
    return LtxSettings(
        pipeline_class=class_name,
        scheduler=scheduler_settings(read_json_object(folder / "scheduler" / "scheduler_config.json")),
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


def _transformer(params: TransformerParams, folder: Path) -> Part:
    signature = components.transformer(
        in_channels=params.in_channels,
        out_channels=params.out_channels,
        text_width=params.caption_channels,
        rope_width=params.inner_dim,
    )
    return _part(
        Component.TRANSFORMER, params, Transformer, component_tensors(folder / "transformer"), signature=signature
    )


def _vae_encoder(params: VaeParams, halves: VaeTensors) -> Part:
    signature = components.vae_encoder(latent_channels=params.latent_channels)
    return _part(Component.VAE_ENCODER, params, VaeEncoder, halves.encoder, signature=signature)


def _vae_decoder(params: VaeParams, halves: VaeTensors) -> Part:
    signature = components.vae_decoder(
        latent_channels=params.latent_channels,
        timestep_conditioning=params.timestep_conditioning,
        injected_noise=injected_noise(params),
    )
    return _part(Component.VAE_DECODER, params, VaeDecoder, halves.decoder, signature=signature)


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
