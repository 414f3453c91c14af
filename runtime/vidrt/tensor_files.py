"""Embeddings and latents as safetensors files."""

import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from vidrt.arrays import AnyArray, FloatArray
from vidrt.errors import RequestError
from vidrt.output.errors import OutputError
from vidrt.output.paths import replacing
from vidrt.pipelines.latents import LatentGrid, pack
from vidrt.pipelines.ltx_video.request import PromptEmbeddings

LATENTS = "initial_latents"
POSITIVE, POSITIVE_MASK = "prompt_embeds", "prompt_attention_mask"
NEGATIVE, NEGATIVE_MASK = "negative_prompt_embeds", "negative_prompt_attention_mask"

_TYPES = {
    "F64": "<f8", "F32": "<f4", "F16": "<f2", "BF16": "<u2",
    "I64": "<i8", "I32": "<i4", "U8": "u1", "I8": "i1", "BOOL": "?",
}  # fmt: skip


def read_embeddings(path: Path) -> PromptEmbeddings:
    """Reads prompt embeddings and cuts off what their masks leave out.

    The file holds `prompt_embeds` (1, L, D) and, for guidance, `negative_prompt_embeds`, each with an attention mask
    (1, L) of its name or none.

    Raises:
        RequestError: the file is missing, damaged, or lacks the embeddings.
    """
    tensors = read_tensors(path)
    if POSITIVE not in tensors:
        raise RequestError(f"{path} should hold {POSITIVE}, and has {', '.join(tensors) or 'nothing'}.")
    negative = _unmasked(tensors, NEGATIVE, NEGATIVE_MASK, path) if NEGATIVE in tensors else None
    return PromptEmbeddings(positive=_unmasked(tensors, POSITIVE, POSITIVE_MASK, path), negative=negative)


def read_latents(path: Path) -> FloatArray:
    """Reads `initial_latents`: tokens (B, S, C) or (B, C, F, H, W).

    Raises:
        RequestError: the file is missing, damaged, or holds no such latents.
    """
    tensors = read_tensors(path)
    if LATENTS not in tensors:
        raise RequestError(f"{path} should hold {LATENTS}, and has {', '.join(tensors) or 'nothing'}.")
    return _finite(tensors[LATENTS], LATENTS, path)


def fit_latents(latents: FloatArray, grid: LatentGrid, batch: int, channels: int) -> FloatArray:
    """Packs latents that were given as a grid, and compares their shape with the request's.

    Returns:
        Tokens (B, S, C), fp32.

    Raises:
        RequestError: the shape is another request's.
    """
    latents = latents.astype(np.float32, copy=False)
    packed = (batch, grid.tokens, channels)
    whole = (batch, channels, grid.frames, grid.rows, grid.columns)
    if latents.shape == whole:
        return pack(latents)
    if latents.shape != packed:
        raise RequestError(f"The initial latents should have the shape {packed} or {whole}, not {latents.shape}.")
    return latents


def read_tensors(path: Path) -> dict[str, AnyArray]:
    """Reads every tensor of a safetensors file; bf16 becomes fp32, which numpy can hold.

    Raises:
        RequestError: the file is missing, no safetensors file, or has a type that is not known here.
    """
    from safetensors import SafetensorError, deserialize

    try:
        stored = deserialize(path.read_bytes())  # type: ignore[no-untyped-call]
    except OSError as error:
        raise RequestError(f"{path} cannot be read: {error.strerror}.") from error
    except SafetensorError as error:
        raise RequestError(f"{path} is no whole safetensors file: {error}.") from error
    return {name: _array(name, tensor, path) for name, tensor in stored}


def write_tensors(path: Path, tensors: Mapping[str, AnyArray], notes: Mapping[str, str] | None = None) -> None:
    """Writes a safetensors file, whole or not at all, with notes.

    Raises:
        OutputError: the file cannot be written.
    """
    from safetensors import SafetensorError
    from safetensors.numpy import save_file

    contiguous = {name: np.ascontiguousarray(values) for name, values in tensors.items()}
    try:
        with replacing(path) as temporary:
            save_file(contiguous, temporary, dict(notes or {}))
    except SafetensorError as error:  # a full disk, for one
        raise OutputError(f"{path} could not be written: {error}") from error


def read_metadata(path: Path) -> dict[str, str]:
    """Reads the notes of a safetensors file, without its tensors; the file is known to be whole."""
    with path.open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
        notes = json.loads(file.read(length)).get("__metadata__", {})
    return {str(name): str(value) for name, value in notes.items()}


def _array(name: str, tensor: Mapping[str, object], path: Path) -> AnyArray:
    dtype, shape, data = str(tensor["dtype"]), tensor["shape"], tensor["data"]
    if dtype not in _TYPES:
        raise RequestError(f"{name} in {path} has the type {dtype}; save it as F32.")
    values: AnyArray = np.frombuffer(data, _TYPES[dtype]).reshape(shape)  # type: ignore[call-overload]
    return (values.astype(np.uint32) << 16).view(np.float32) if dtype == "BF16" else values


def _unmasked(tensors: Mapping[str, AnyArray], name: str, mask_name: str, path: Path) -> FloatArray:
    embeddings = _finite(tensors[name], name, path)
    if embeddings.ndim != 3 or len(embeddings) != 1:  # noqa: PLR2004 - (1, L, D)
        raise RequestError(f"{name} in {path} should have the shape (1, tokens, width), not {embeddings.shape}.")
    mask = tensors.get(mask_name, np.ones(embeddings.shape[:2]))
    if mask.shape != embeddings.shape[:2] or not mask.any():
        raise RequestError(
            f"{mask_name} in {path} should be a mask of shape {embeddings.shape[:2]} that keeps a token."
        )
    return np.ascontiguousarray(embeddings[:, mask[0].astype(bool)])


def _finite(stored: AnyArray, name: str, path: Path) -> FloatArray:
    with np.errstate(over="ignore"):  # what fp32 cannot hold becomes infinite
        values = stored.astype(np.float32)
    if not np.isfinite(values).all():
        raise RequestError(f"{name} in {path} has values that are infinite or no numbers.")
    return values
