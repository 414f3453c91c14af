"""Stable Video Diffusion's original single file, tiny: the names and shapes of the original modules, seeded weights."""

import json
import math
import zlib
from pathlib import Path

import numpy as np
from safetensors.numpy import save_file

GOLDEN = Path(__file__).resolve().parent.parent / "reference" / "svd" / "golden"


def weight(name: str, shape: tuple[int, ...]) -> np.ndarray:
    """The weight of a name: always the same, of a size that keeps activations near one."""
    values = np.random.default_rng(zlib.crc32(name.encode())).standard_normal(shape, dtype=np.float32)
    if len(shape) > 1:
        return np.asarray(values / np.float32(math.sqrt(math.prod(shape[1:]))))
    return np.asarray(values * np.float32(0.1) + np.float32(name.endswith("weight")), np.float32)


def shapes() -> dict[str, tuple[int, ...]]:
    """The names and shapes of the original modules, each under its prefix in a single file."""
    text = (GOLDEN / "original.json").read_text(encoding="utf-8")
    return {name: tuple(shape) for name, shape in json.loads(text).items()}


def arrays() -> dict[str, np.ndarray]:
    """What the original modules were given, and what they made of it."""
    with np.load(GOLDEN / "original.npz") as file:
        return dict(file)


def save(path: Path, changes: dict[str, np.ndarray | None] | None = None) -> Path:
    """Write the single file, with what the published ones hold besides; `changes` add, replace or, by None, remove."""
    text = "conditioner.embedders.0.open_clip.model."
    values: dict[str, np.ndarray | None] = {name: weight(name, shape) for name, shape in shapes().items()}
    values |= {f"{text}{name}": np.ones(2, np.float32) for name in ("ln_final.bias", "positional_embedding")}
    values |= {f"{text}logit_scale": np.ones((), np.float32)} | (changes or {})
    save_file({name: value for name, value in values.items() if value is not None}, path)
    return path
