"""Final latents as a safetensors file: `vidrt decode` makes videos of it, `--initial-latents-file` begins with it.

It holds `initial_latents` (B, C, F, H, W) as the denoiser left them, `decode_noise` and `noise_0` … where the decoder
takes noise, and in its metadata how they become frames and the record of their run.
"""

import dataclasses
import json
from pathlib import Path

import numpy as np
from vidrt_engines.errors import BundleError
from vidrt_engines.jsonable import decode

from vidrt.errors import RequestError
from vidrt.pipelines.ltx_video.final_latents import FinalLatents
from vidrt.tensor_files import LATENTS, read_metadata, read_tensors, write_tensors

NOISE, MAP, ABOUT = "decode_noise", "noise_", "vidrt"


@dataclasses.dataclass(frozen=True, kw_only=True)
class _About:
    """What the metadata says: `FinalLatents` but for its arrays and its record."""

    timestep: float | None = None
    noise_scale: float
    noise_before_denormalising: bool
    tone_map: float
    height: int
    width: int
    fps: float


def write_final(path: Path, final: FinalLatents) -> None:
    """Writes latents so that they can be decoded later, to the same frames.

    Raises:
        OutputError: the file cannot be written.
    """
    tensors = {LATENTS: final.latents, **{f"{MAP}{i}": values for i, values in enumerate(final.maps)}}
    if final.noise is not None:
        tensors[NOISE] = final.noise
    about = {field.name: getattr(final, field.name) for field in dataclasses.fields(_About)}
    metadata = {ABOUT: json.dumps(about), "record": json.dumps(final.record)}
    write_tensors(path, tensors, metadata)


def read_final(path: Path) -> FinalLatents:
    """Reads what `write_final` wrote.

    Raises:
        RequestError: the file is missing, damaged, or of another kind.
    """
    tensors, metadata = read_tensors(path), read_metadata(path)
    try:
        about = decode(_About, json.loads(metadata[ABOUT]), ABOUT)
        record = json.loads(metadata["record"])
        latents = tensors[LATENTS]
    except (KeyError, ValueError, BundleError) as error:
        raise RequestError(
            f"{path} holds no final latents of vidrt: give a file that vidrt generate wrote before decoding."
        ) from error
    maps = tuple(tensors[f"{MAP}{i}"] for i in range(sum(name.startswith(MAP) for name in tensors)))
    final = FinalLatents(latents=latents, noise=tensors.get(NOISE), maps=maps, record=record, **vars(about))
    _check(final, path)
    return final


def _check(final: FinalLatents, path: Path) -> None:
    arrays = [final.latents, *final.maps, *([] if final.noise is None else [final.noise])]
    problem = ""
    if not all(values.dtype == np.float32 and np.isfinite(values).all() for values in arrays):
        problem = "values that are infinite or no numbers"
    elif final.noise is not None and final.noise.shape != final.latents.shape:
        problem = f"noise of the shape {final.noise.shape} for latents of {final.latents.shape}"
    elif min(final.height, final.width) < 1 or not final.fps > 0:
        problem = "a size or a frame rate that is not above 0"
    if problem:
        raise RequestError(f"{path} is damaged: it has {problem}.")
