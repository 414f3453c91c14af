"""What a file says of itself in its metadata."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from vidrt_reference.checkpoint.errors import CheckpointError

if TYPE_CHECKING:
    from collections.abc import Mapping

METADATA = "configuration in the file's metadata"
_CLASSES = {
    "transformer": "Transformer3DModel",
    "vae": "CausalVideoAutoencoder",
    "scheduler": "RectifiedFlowScheduler",
}


@dataclass(frozen=True, kw_only=True)
class Told:
    """The parts of a file's configuration; None for one that is not there.

    Attributes:
        transformer, vae, scheduler: as the official code takes them.
        sigmas: the only ones at which a distilled model may be asked.
        version: a name of the version, in small letters.
    """

    transformer: Mapping[str, object] | None = None
    vae: Mapping[str, object] | None = None
    scheduler: Mapping[str, object] | None = None
    sigmas: tuple[float, ...] | None = None
    version: str | None = None

    @property
    def causal_time(self) -> bool | None:
        """Whether the first latent frame stands for one frame in the rotary embedding; None where it is not said."""
        value = (self.transformer or {}).get("causal_temporal_positioning")
        return value if isinstance(value, bool) else None


def told(metadata: Mapping[str, str], *, where: object) -> Told:
    """Read a file's metadata.

    Args:
        metadata: the free text of a safetensors file.
        where: the file, for errors.

    Raises:
        CheckpointError: the configuration in it is damaged, or another architecture's.
    """
    config = metadata_config(metadata, where)
    sigmas = config.get("allowed_inference_steps")
    if sigmas is not None and not (isinstance(sigmas, list) and all(isinstance(one, int | float) for one in sigmas)):
        raise CheckpointError(f"Expected a list of numbers as allowed_inference_steps in the metadata of {where}.")
    version = metadata.get("model_version", config.get("model_version"))
    return Told(
        **{part: _part(config, part, where) for part in _CLASSES},
        sigmas=None if sigmas is None else tuple(map(float, sigmas)),
        version=version.lower() if isinstance(version, str) else None,
    )


def metadata_config(metadata: Mapping[str, str], where: object) -> Mapping[str, object]:
    """The configuration in a file's metadata; empty where there is none.

    Raises:
        CheckpointError: it is no JSON object.
    """
    if "config" not in metadata:
        return {}
    try:
        config = json.loads(metadata["config"])
    except (ValueError, RecursionError) as error:
        raise CheckpointError(f"Expected JSON as config in the metadata of {where}: download it again.") from error
    if not isinstance(config, dict):
        raise CheckpointError(f"Expected a JSON object as config in the metadata of {where}: download it again.")
    return config


def _part(config: Mapping[str, object], part: str, where: object) -> Mapping[str, object] | None:
    values = config.get(part)
    if values is None:
        return None
    name = values.get("_class_name", _CLASSES[part]) if isinstance(values, dict) else None
    if not isinstance(values, dict) or name != _CLASSES[part]:
        raise CheckpointError(
            f"Expected the configuration of a {_CLASSES[part]} as {part} in the metadata of {where}, but it is of "
            f"{name!r}: use an official file of LTX-Video 0.9."
        )
    return values
