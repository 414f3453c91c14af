"""Stable Video Diffusion as it was published first: one file, whose name says how many frames it makes."""

import re
from collections.abc import Mapping
from pathlib import Path

from vidrt_engines.svd_settings import KarrasSettings
from vidrt_reference.checkpoint.errors import CheckpointError
from vidrt_reference.checkpoint.keys import below
from vidrt_reference.checkpoint.stored import StoredTensor
from vidrt_reference.svd.original import image_encoder
from vidrt_reference.svd.original.file import UNET, original_tensors
from vidrt_reference.svd.original.unet import unet_params
from vidrt_reference.svd.original.vae import vae_params

from vidrt_export.sources.checkpoint import Checkpoint
from vidrt_export.sources.svd import XT_FRAMES, Found, svd_checkpoint

SVD_FRAMES = 14


def read_svd_file(path: Path, stored: Mapping[str, StoredTensor], num_frames: int | None = None) -> Checkpoint:
    """Looks at a file's names and shapes; no weight.

    Args:
        path: the file, whose name is looked at.
        stored: all that it holds.
        num_frames: what the model was trained on, where the name does not say it.

    Raises:
        CheckpointError: a tensor is missing, left over or of the wrong shape, or the frames are not known.
    """
    tensors = original_tensors(stored)
    return svd_checkpoint(
        Found(
            unet=unet_params(below(UNET, stored), _frames(path, num_frames)),
            unet_tensors=tensors.unet,
            vae=vae_params(stored),
            vae_tensors=tensors.vae,
            image_encoder=image_encoder.image_encoder_params(below(image_encoder.PREFIX, stored)),
            image_encoder_tensors=tensors.image_encoder,
            image_mean=image_encoder.IMAGE_MEAN,
            image_std=image_encoder.IMAGE_STD,
            scheduler=KarrasSettings(),
        )
    )


def _frames(path: Path, asked: int | None) -> int:
    named = _named_frames(path.stem.lower())
    if asked is None and named is None:
        raise CheckpointError(
            f"Expected a name that tells SVD from SVD-XT, but the file is {path.name}: "
            f"give --num-frames {SVD_FRAMES} or {XT_FRAMES}, what the model was trained on."
        )
    if asked is not None and named is not None and asked != named:
        raise CheckpointError(
            f"{path.name} is by its name a model of {named} frames, not of {asked}: leave --num-frames out."
        )
    return asked or named or SVD_FRAMES


def _named_frames(stem: str) -> int | None:
    if re.search(r"(svd|img2vid)[-_. ]?xt", stem):
        return XT_FRAMES
    return SVD_FRAMES if re.search(r"(?<![a-z])svd(?![a-z])|img2vid", stem) else None
