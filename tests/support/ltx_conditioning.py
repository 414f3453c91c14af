"""What the official pipeline was given when its conditioning was recorded, by tiny modules with weights of names."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from pathlib import Path

import ltx_original
import numpy as np
from svd_original import weight

GOLDEN = Path(__file__).resolve().parent.parent / "runtime" / "conditioning" / "golden"
SEED = 23
SIZE = {"height": 64, "width": 96, "num_frames": 33}
FPS, STEPS, GUIDANCE = 24.0, 5, 3.0
BLOCKS = (1,)  # that spatio-temporal guidance perturbs, of two
CHANNELS, TEXT, TOKENS = 8, 16, 5


@dataclass(frozen=True, kw_only=True)
class Item:
    """A condition: so many frames from one of the result's, and how strong they are."""

    frames: int = 1
    frame: int = 0
    strength: float = 1.0


@dataclass(frozen=True, kw_only=True)
class Case:
    """A run: its conditions, the form of its weights, the version by which it is sampled, its guidance."""

    items: tuple[Item, ...]
    form: str = "0.9.5"
    version: str = "0.9.5"
    stg_scale: float = 0.0
    rescaling_scale: float = 1.0
    cfg_star: bool = False


_SEVERAL = (Item(frames=9), Item(frame=13, strength=0.7), Item(frames=17, frame=16, strength=0.6), Item(frame=32))
CASES = {
    "a picture": Case(items=(Item(),)),
    "half a picture": Case(items=(Item(strength=0.5),)),
    "a later picture": Case(items=(Item(frame=16),)),
    "a picture between latent frames": Case(items=(Item(frame=13, strength=0.7),)),
    "the beginning": Case(items=(Item(frames=17),)),
    "the end": Case(items=(Item(frames=17, frame=16),)),
    "a short end": Case(items=(Item(frames=9, frame=24, strength=0.9),)),
    "several": Case(items=_SEVERAL),
    "over one another": Case(items=(Item(frames=17, strength=0.4), Item(frames=9, strength=0.8), Item(frame=8))),
    "nothing": Case(items=(Item(strength=0.0),)),
    "several, guided": Case(items=_SEVERAL, stg_scale=1.0, rescaling_scale=0.7, cfg_star=True),
    "several by chance": Case(items=_SEVERAL, version="0.9.6-distilled"),
    "several of the first version": Case(items=_SEVERAL, form="0.9.0", version="0.9.0"),
}

# Pictures of other shapes, as they are prepared: their height and width, and those of the run.
PICTURES = {
    "as it is": ((32, 48), (32, 48)),
    "wide": ((40, 120), (32, 48)),
    "narrow": ((101, 45), (32, 48)),
    "odd": ((37, 51), (48, 32)),
    "large": ((90, 130), (32, 32)),
}


def clip(item: Item) -> np.ndarray:
    """The prepared frames of a condition: (1, 3, F, height, width) in [-1, 1]."""
    shape = (1, 3, item.frames, SIZE["height"] // 8, SIZE["width"] // 8)
    drawn = weight(f"clip {item}", shape) * np.float32(np.sqrt(np.prod(shape[1:])))
    return np.repeat(np.repeat(np.tanh(drawn), 8, axis=3), 8, axis=4)


def picture(name: str) -> np.ndarray:
    """RGB (H, W, 3) with slopes, whose blur ends on whole numbers, edges and noise."""
    (height, width), _ = PICTURES[name]
    row, column = np.mgrid[:height, :width]
    values = np.stack([row * 255 // height, (row + column) * 7 % 256, 60 * (column // 9 % 4)], axis=-1)
    noise = weight(f"picture {name}", (height, width, 3)) * np.float32(np.sqrt(width * 3)) * 12
    values[height // 2 :] = values[height // 2 :] + noise[height // 2 :]
    return np.asarray(np.clip(values, 0, 255), np.uint8)


def embeddings() -> dict[str, np.ndarray]:
    """Embeddings of the prompt and of the negative prompt."""
    return {name: weight(f"given {name}", (1, TOKENS, TEXT)) * np.float32(10) for name in ("positive", "negative")}


def statistics() -> dict[str, np.ndarray]:
    """The mean and the deviation of each latent channel."""
    names = {"mean_of_means": "mean-of-means", "std_of_means": "std-of-means"}
    prefix = f"{ltx_original.VAE}per_channel_statistics."
    return {ours: ltx_original.value(prefix + name, (CHANNELS,)) for ours, name in names.items()}


@functools.cache
def recorded(name: str) -> dict[str, np.ndarray]:
    """The arrays of one of the golden files, `runs` or `pictures`."""
    with np.load(GOLDEN / f"{name}.npz") as file:
        return dict(file)
