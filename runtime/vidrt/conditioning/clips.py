"""The clips of a run's conditions: read, prepared and encoded, one after the other."""

from collections.abc import Sequence

from vidrt.components.vae_encoder import VaeEncoder
from vidrt.conditioning.encode import EncodedClip
from vidrt.conditioning.item import SettledCondition
from vidrt.conditioning.preprocess import Size, prepared_clip
from vidrt.conditioning.rules import ConditionRules


def encoded_clips(
    conditions: Sequence[SettledCondition], full: Size, size: Size, rules: ConditionRules, encoder: VaeEncoder
) -> list[EncodedClip]:
    """Encodes every condition for a pass; the encoder is open for this long.

    Args:
        conditions: as settled with the run.
        full: height and width that the run was asked for, whose shape pictures are cut to.
        size: height and width of the pass.
        rules: whose.
        encoder: of the VAE.

    Raises:
        RequestError: a video breaks off.
    """
    encoded = []
    with encoder.held():
        for item in conditions:  # one after the other: a long clip in fp32 takes a gigabyte
            frames = prepared_clip(item.media.read(item.frames), full, size, rules)
            encoded.append(EncodedClip(moments=encoder(frames), frame=item.frame, strength=item.strength))
    return encoded
