"""The clips of a run's conditions: read, prepared and encoded, one after the other."""

from collections.abc import Sequence

import numpy as np
from vidrt_engines.axes import axis_sizes
from vidrt_engines.settings import LtxSettings

from vidrt.arrays import FloatArray
from vidrt.components.vae_encoder import VaeEncoder, chunk_frames
from vidrt.conditioning.encode import EncodedClip
from vidrt.conditioning.item import SettledCondition
from vidrt.conditioning.preprocess import Size, prepared_clip
from vidrt.conditioning.rules import ConditionRules
from vidrt.planning.encoding import fitting_encoding


def encoded_clips(
    conditions: Sequence[SettledCondition], full: Size, size: Size, rules: ConditionRules, encoder: VaeEncoder,
    settings: LtxSettings,
) -> list[EncodedClip]:  # fmt: skip
    """Encodes every condition for a pass; the encoder is open for this long.

    Args:
        conditions: as settled with the run.
        full: height and width that the run was asked for, whose shape pictures are cut to.
        size: height and width of the pass.
        rules: whose.
        encoder: of the VAE.
        settings: the bundle's.

    Raises:
        RequestError: a video breaks off.
    """
    encoded = []
    with encoder.held():
        for item in conditions:  # one after the other: a long clip in fp32 takes a gigabyte
            frames = prepared_clip(item.media.read(item.frames), full, size, rules)
            moments = _moments(frames, encoder, settings)
            encoded.append(EncodedClip(moments=moments, frame=item.frame, strength=item.strength))
    return encoded


def _moments(frames: FloatArray, encoder: VaeEncoder, settings: LtxSettings) -> FloatArray:
    """The moments of a clip (1, 3, F, H, W), at once unless a memory limit leaves streaming alone."""
    engine, limit = encoder.engine, encoder.engine.memory_limit
    if engine.device.kind != "cpu" or limit is None:
        return encoder(frames)
    temporal, (count, height, width) = settings.temporal_compression, frames.shape[2:]
    sizes = axis_sizes(settings, height=height, width=width, num_frames=count, text_tokens=1)
    _, streams = fitting_encoding(engine.engine, sizes, chunk_frames(temporal), limit)
    return np.concatenate(list(encoder.stream([frames], temporal)), axis=2) if streams else encoder(frames)
