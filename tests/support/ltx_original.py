"""LTX-Video's official single files, tiny: the official modules' configurations, names and shapes, seeded weights."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from safetensors.numpy import save_file
from svd_original import weight

if TYPE_CHECKING:
    from collections.abc import Mapping

Form = Literal["0.9.0", "0.9.1", "0.9.5"]
FORMS: tuple[Form, ...] = ("0.9.0", "0.9.1", "0.9.5")
GOLDEN = Path(__file__).resolve().parent.parent / "reference" / "ltx_video" / "golden"

TRANSFORMER = "model.diffusion_model."
VAE = "vae."
_STATISTICS = f"{VAE}per_channel_statistics."
_LATENT_CHANNELS = 8
# What published files hold besides, and no code reads.
_UNUSED = ("channel", "mean-of-stds", "mean-of-stds_over_std-of-means")


def value(name: str, shape: tuple[int, ...]) -> np.ndarray:
    """The weight of a name: always the same, of a size that keeps activations near one."""
    drawn = weight(name, shape)
    if name.endswith("timestep_scale_multiplier"):
        return np.asarray(1000, np.float32)
    if name.endswith("std-of-means"):
        return np.asarray(1 + 3 * np.abs(drawn), np.float32)
    return np.asarray(0.3 * drawn, np.float32) if "per_channel_scale" in name else drawn


def golden() -> dict[str, Any]:
    """Configurations as the published files have them in their metadata, and names and shapes, by form."""
    found: dict[str, Any] = json.loads((GOLDEN / "original.json").read_text(encoding="utf-8"))
    return found


def arrays() -> dict[str, np.ndarray]:
    """What the official modules made of `given`, by form and kind."""
    with np.load(GOLDEN / "original.npz") as file:
        return dict(file)


def given() -> dict[str, np.ndarray]:
    """What the official modules were given."""
    shapes = {
        "latents": (1, 6, _LATENT_CHANNELS), "context": (1, 5, 16), "coordinates": (1, 3, 6),
        "decoded": (1, _LATENT_CHANNELS, 2, 1, 2), "frames": (1, 3, 9, 32, 64),
    }  # fmt: skip
    drawn = {name: weight(f"given {name}", shape) for name, shape in shapes.items()}
    drawn = {name: values * np.sqrt(np.float32(np.prod(values.shape[1:]))) for name, values in drawn.items()}
    scale = np.array([3, 300, 500], np.float32)[:, None]
    return {**drawn, "coordinates": np.abs(drawn["coordinates"]) * scale}


def tensors(form: Form) -> dict[str, np.ndarray]:
    """All tensors of a published file of one form."""
    own = {name: value(name, tuple(shape)) for name, shape in golden()[form]["shapes"].items()}
    statistics = {
        f"{_STATISTICS}{name}": value(f"{_STATISTICS}{name}", (_LATENT_CHANNELS,))
        for name in ("mean-of-means", "std-of-means", *_UNUSED)
    }
    return {**own, **statistics}


def save(
    path: Path,
    form: Form = "0.9.5",
    changes: Mapping[str, np.ndarray | None] | None = None,
    *,
    config: Mapping[str, Any] | None = None,
    metadata: Mapping[str, str] | None = None,
) -> Path:
    """Write a single file.

    Args:
        path: where to.
        form: of its VAE.
        changes: tensors to add, to replace or, by None, to leave out.
        config: what its metadata say in the place of the official configuration; an empty one is left out.
        metadata: entries besides.
    """
    values = {**tensors(form), **(changes or {})}
    config = golden()[form]["config"] if config is None else config
    entries = {**({"config": json.dumps(config)} if config else {}), **(metadata or {})}
    save_file({name: value for name, value in values.items() if value is not None}, path, metadata=entries or None)
    return path
