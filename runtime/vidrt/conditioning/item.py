"""What a run is conditioned on, and whether it fits the run."""

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass

from vidrt.conditioning.media import Media, MediaSource, open_media
from vidrt.conditioning.rules import ConditionRules
from vidrt.errors import RequestError

PREFIX_FRAMES = 2
"""Latent frames at the beginning of a sequence that stand beside the video, since the first encodes one frame alone."""

_NUMBER = r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:e[+-]?[0-9]+)?|[+-]?(?:nan|inf)"
_FRAME = r"[+-]?[0-9]{1,18}"
_FORM = re.compile(rf"(?P<file>.+?)(?:@(?P<frame>{_FRAME}))?(?::(?P<strength>{_NUMBER}))?", re.IGNORECASE | re.DOTALL)
_DRIVE = re.compile(r"[A-Za-z]:[^:@]*")


@dataclass(frozen=True, kw_only=True, eq=False)
class Condition:
    """A picture or a video that the result should show.

    Attributes:
        media: a file; or a picture of pillow's or bytes (H, W, 3); or a sequence of such pictures or bytes
            (F, H, W, 3).
        frame: of the result, where the media begins.
        strength: from 0, which asks for nothing, to 1, which keeps the media as it is.
    """

    media: MediaSource
    frame: int = 0
    strength: float = 1.0


@dataclass(frozen=True, kw_only=True, eq=False)
class SettledCondition:
    """A condition that fits its run.

    Attributes:
        media: what was found.
        frame: of the result, where the media begins.
        strength: from 0 to 1.
        frames: how many of the media's are used, from its beginning.
        remark: what a user should know, or None.
    """

    media: Media
    frame: int
    strength: float
    frames: int
    remark: str | None = None


def parse_condition(text: str) -> Condition:
    """Reads `FILE[@FRAME][:STRENGTH]`.

    Both are read from the right and only where they are numbers, so a file's name may have @ and : in it; a letter and
    a colon alone are a drive.
    """
    match = None if _DRIVE.fullmatch(text) else _FORM.fullmatch(text)
    if match is None:
        return Condition(media=text)
    frame, strength = match["frame"], match["strength"]
    return Condition(
        media=match["file"], frame=int(frame) if frame else 0, strength=float(strength) if strength else 1.0
    )


def settle_conditions(
    conditions: Sequence[Condition], num_frames: int, unit: int, rules: ConditionRules
) -> tuple[SettledCondition, ...]:
    """Looks at every condition's media and fits it to a run.

    Args:
        conditions: in their order, in which they are laid over one another.
        num_frames: of the run.
        unit: frames for each latent frame beyond the first.
        rules: whose.

    Raises:
        RequestError: a frame or strength out of range, media that cannot be read or do not fit.
    """
    if conditions and rules is ConditionRules.IMAGE_TO_VIDEO:
        _check_single(conditions)
    return tuple(_settled(condition, num_frames, unit, rules) for condition in conditions)


def trimmed(available: int, room: int, unit: int) -> int:
    """The most frames of the form unit·n + 1 that there are and that there is room for."""
    return (min(available, room) - 1) // unit * unit + 1


def extra_latent_frames(conditions: Sequence[SettledCondition], unit: int) -> int:
    """How many latent frames conditions put in front of the video's: those of all that do not begin with it."""
    lengths = [(item.frames - 1) // unit + 1 for item in conditions if item.frame]
    return sum(min(length, PREFIX_FRAMES) for length in lengths)


def _settled(condition: Condition, num_frames: int, unit: int, rules: ConditionRules) -> SettledCondition:
    _check_numbers(condition, num_frames)
    media = open_media(condition.media)
    if media.frames > 1 and rules is ConditionRules.IMAGE_TO_VIDEO:
        raise RequestError(f"{media.name} is a video, and {_ONE_PICTURE}.")
    room = num_frames - condition.frame
    frames = trimmed(media.frames, room, unit)
    if condition.frame and media.frames > 1:
        _check_sequence(media, condition.frame, frames, room, unit)
    media.check(frames)
    return SettledCondition(
        media=media,
        frame=condition.frame,
        strength=float(condition.strength),
        frames=frames,
        remark=_remark(media, frames, room, unit),
    )


_ONE_PICTURE = (
    "diffusers' image-to-video takes one picture, at frame 0 and with a strength of 1: "
    "leave the compatibility with diffusers out, or take a bundle of its LTXConditionPipeline"
)


def _check_single(conditions: Sequence[Condition]) -> None:
    first = conditions[0]
    if len(conditions) > 1 or first.frame != 0 or first.strength != 1:
        raise RequestError(_ONE_PICTURE[0].upper() + _ONE_PICTURE[1:] + ".")


def _check_numbers(condition: Condition, num_frames: int) -> None:
    if isinstance(condition.frame, bool) or not isinstance(condition.frame, int):
        raise RequestError(f"A condition's frame should be a whole number, not {condition.frame!r}.")
    if not 0 <= condition.frame < num_frames:
        raise RequestError(
            f"A condition's frame should be one of the video's, 0 to {num_frames - 1}, not {condition.frame}."
        )
    if not (math.isfinite(condition.strength) and 0 <= condition.strength <= 1):
        raise RequestError(f"A condition's strength should be between 0 and 1, not {condition.strength}.")


def _check_sequence(media: Media, frame: int, frames: int, room: int, unit: int) -> None:
    """A sequence that begins later replaces whole latent frames, and its own beginning stands beside them."""
    least = (PREFIX_FRAMES - 1) * unit + 1
    if frame % unit:
        below = frame // unit * unit
        raise RequestError(
            f"A video should begin at a frame that {unit} divides, and {frame} for {media.name} is none: "
            f"take {below} or {below + unit}."
        )
    if frames < least:
        reason = f"it has {media.frames}" if media.frames < least else f"there is room for {room} from frame {frame} on"
        raise RequestError(
            f"{media.name} needs {least} frames or more to begin after the first frame, and {reason}: "
            f"give a longer one, an earlier frame or a single picture."
        )


def _remark(media: Media, frames: int, room: int, unit: int) -> str | None:
    if frames == media.frames:
        return None
    fits = f"there is room for {room}" if room < media.frames else f"a sequence has {unit}·n + 1"
    return f"Of {media.name} the first {frames} of {media.frames} frames are used: {fits}."
