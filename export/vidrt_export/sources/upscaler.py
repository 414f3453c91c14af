"""The latent upsampler of LTX-Video's second pass, which comes in a file or a folder of its own."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from vidrt_engines import components
from vidrt_engines.manifest import Settings
from vidrt_engines.names import Component
from vidrt_engines.settings import LtxSettings
from vidrt_engines.versions import VERSIONS
from vidrt_reference.checkpoint.eight_bits import in_sixteen_bits
from vidrt_reference.checkpoint.errors import CheckpointError
from vidrt_reference.checkpoint.folder import CONFIG, component_tensors, read_config
from vidrt_reference.checkpoint.stored import StoredTensor, read_header, read_metadata
from vidrt_reference.ltx_video.latent_upsampler import LatentUpsampler, LatentUpsamplerParams
from vidrt_reference.ltx_video.original.latent_upsampler import upscaler_params

from vidrt_export.console import Console
from vidrt_export.part import Part
from vidrt_export.sources.checkpoint import Checkpoint

FOLDER, FILES = "latent_upsampler", "ltxv-spatial-upscaler-*.safetensors"
_CLASS = "LTXLatentUpsamplerModel"
# Latents that are large enough to go through every layer, small enough to trace at once.
_SIZES = {"batch": 2, "latent_frames": 3, "latent_rows": 4, "latent_columns": 5}


@dataclass(frozen=True, kw_only=True)
class Upscaler:
    """An upscaler that has been looked at; no weight has been read.

    Attributes:
        path: its file or folder.
        tensors: by their names here, which are those that it has everywhere.
        note: a sentence about the weights.
    """

    path: Path
    params: LatentUpsamplerParams
    tensors: Mapping[str, StoredTensor]
    note: str | None = None


def read_upscaler(path: Path) -> Upscaler:
    """Looks at an upscaler: an official file, diffusers' folder of it, or a folder that holds either.

    Raises:
        CheckpointError: there is none, or it is damaged or not supported.
    """
    if path.is_dir() and not (path / CONFIG).is_file():
        found = upscaler_beside(path)
        if found is None:
            raise CheckpointError(
                f"Expected an upscaler in {path}, but there is neither {FOLDER}/{CONFIG} nor {FILES}: "
                f"give a folder or a file such as ltxv-spatial-upscaler-0.9.8.safetensors."
            )
        path = found
    if path.is_dir():
        params = LatentUpsamplerParams.from_config(read_config(path, class_name=_CLASS))
        weights = in_sixteen_bits(component_tensors(path))
    else:
        header = read_header(path)
        params = upscaler_params(header, read_metadata(path), where=path)
        weights = in_sixteen_bits(header)
    upscaler = Upscaler(path=path, params=params, tensors=weights.tensors, note=weights.note("latent upsampler"))
    _part(upscaler).check()
    return upscaler


def upscaler_beside(folder: Path, number: str = "") -> Path | None:
    """The upscaler in a checkpoint's folder: diffusers' own, else a file of the version's number, else the newest."""
    if (folder / FOLDER / CONFIG).is_file():
        return folder / FOLDER
    files = sorted(folder.glob(FILES))
    return next((file for file in files if number and number in file.name), files[-1] if files else None)


def makes_two_passes(checkpoint: Checkpoint) -> bool:
    """Whether a checkpoint is, or may be, of a version that the official code runs twice."""
    names = {checkpoint.model_version, *checkpoint.versions} & VERSIONS.keys()
    return any(VERSIONS[name].second_pass for name in names)


def own_upscaler(checkpoint: Checkpoint, path: Path, console: Console) -> Upscaler | None:
    """The upscaler that lies beside a checkpoint, and a line that says so; or that there is none where one is needed.

    Raises:
        CheckpointError: it is damaged or not supported.
    """
    version = VERSIONS[checkpoint.model_version]
    found = upscaler_beside(path if path.is_dir() else path.parent, version.name.partition("-")[0])
    if found is not None:
        console.note(f"The upscaler for a second pass is {found.name}, which lies beside it: see --upscaler.")
        return read_upscaler(found)
    if version.second_pass:
        console.note(f"There is no upscaler beside it, without which {version.name} makes one pass: see --upscaler.")
    return None


def with_upscaler(checkpoint: Checkpoint, upscaler: Upscaler) -> Checkpoint:
    """The checkpoint with an upsampler, before the decoder as a run uses them.

    Raises:
        CheckpointError: they do not belong together.
    """
    _check(checkpoint.settings, upscaler)
    parts: dict[Component, Part] = {}
    for component, part in checkpoint.parts.items():
        if component is Component.VAE_DECODER:
            parts[Component.LATENT_UPSAMPLER] = replace(_part(upscaler), origin=upscaler.path.name)
        parts[component] = part
    return replace(checkpoint, parts=parts)


def refuse_unused(checkpoint: Checkpoint, asked: Collection[Component]) -> None:
    """Refuses an upscaler that was asked for and has no use.

    Raises:
        CheckpointError: the family or the version has one pass, or the upsampler is not to be built.
    """
    if not isinstance(checkpoint.settings, LtxSettings):
        raise CheckpointError(f"{checkpoint.family.spoken} has no second pass: leave --upscaler out.")
    possible = {checkpoint.model_version, *checkpoint.settings.versions} & VERSIONS.keys()
    if not any(VERSIONS[name].second_pass for name in possible):
        raise CheckpointError(f"LTX-Video {checkpoint.model_version} has no second pass: leave --upscaler out.")
    if asked and Component.LATENT_UPSAMPLER not in asked:
        raise CheckpointError(
            f"--upscaler brings the latent upsampler, which --component leaves out: "
            f"add --component {Component.LATENT_UPSAMPLER}, or leave --upscaler out."
        )


def _check(settings: Settings, upscaler: Upscaler) -> None:
    assert isinstance(settings, LtxSettings)
    if settings.latent_channels != upscaler.params.in_channels:
        raise CheckpointError(
            f"The components do not belong together: the latent upsampler's in_channels is "
            f"{upscaler.params.in_channels} and the VAE's latent_channels is {settings.latent_channels}."
        )


def _part(upscaler: Upscaler) -> Part:
    return Part(
        component=Component.LATENT_UPSAMPLER,
        signature=components.latent_upsampler(latent_channels=upscaler.params.in_channels),
        config=dict(vars(upscaler.params)),
        make=partial(LatentUpsampler, upscaler.params),
        tensors=upscaler.tensors,
        sizes=_SIZES,
        note=upscaler.note,
    )
