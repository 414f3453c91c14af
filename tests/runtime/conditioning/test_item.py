"""Conditions as they are written, and whether they fit a run."""

import numpy as np
import pytest
from vidrt.conditioning.item import Condition, extra_latent_frames, parse_condition, settle_conditions
from vidrt.conditioning.rules import ConditionRules, condition_rules
from vidrt.errors import RequestError
from vidrt_engines.names import Compat

WRITTEN = {
    "a.png": ("a.png", 0, 1.0),
    "a.png@8": ("a.png", 8, 1.0),
    "a.png:0.5": ("a.png", 0, 0.5),
    "a.png@8:0.5": ("a.png", 8, 0.5),
    "a.png@8:.5": ("a.png", 8, 0.5),
    "clip.mp4@16:1e-1": ("clip.mp4", 16, 0.1),
    "me@home:now.mp4": ("me@home:now.mp4", 0, 1.0),
    "take@3:b.png": ("take@3:b.png", 0, 1.0),
    "take@3.png@24": ("take@3.png", 24, 1.0),
    "take@3@24": ("take@3", 24, 1.0),
    "C:\\films\\a.png": ("C:\\films\\a.png", 0, 1.0),
    "C:\\films\\a.png@3:0.25": ("C:\\films\\a.png", 3, 0.25),
    "C:7": ("C:7", 0, 1.0),
    "./C:7": ("./C", 0, 7.0),
    "a.png@-1": ("a.png", -1, 1.0),
    "@8": ("@8", 0, 1.0),
    ":0.5": (":0.5", 0, 1.0),
    "": ("", 0, 1.0),
    "two\nlines@8": ("two\nlines", 8, 1.0),
    "a.png@٣": ("a.png@٣", 0, 1.0),
}


@pytest.fixture
def settle():
    """A function that settles conditions for a run of 33 frames, by the official rules unless told otherwise."""

    def run(*conditions, rules=ConditionRules.OFFICIAL):
        return settle_conditions(conditions, 33, 8, rules)

    return run


@pytest.fixture
def clip():
    """A function of a length: that many tiny frames."""

    def make(length):
        return np.zeros((length, 4, 6, 3), np.uint8)

    return make


@pytest.mark.parametrize("text", WRITTEN)
def test_what_is_written_is_read_from_the_right(text):
    """Frame and strength are what numbers at the end say; all else is the file's name."""
    got = parse_condition(text)
    assert (got.media, got.frame, got.strength) == WRITTEN[text]


@pytest.mark.parametrize("text", ["a.png:nan", "a.png:inf", "a.png:-0.1", "a.png:1.01"])
def test_a_strength_is_between_0_and_1(settle, text):
    """A strength that is none is refused before the file is looked for."""
    with pytest.raises(RequestError, match="strength should be between 0 and 1, not"):
        settle(parse_condition(text))


@pytest.mark.parametrize("frame", [-1, 33, 10**17])
def test_a_frame_is_one_of_the_videos(settle, clip, frame):
    """A frame that the video does not have is refused."""
    with pytest.raises(RequestError, match=f"0 to 32, not {frame}"):
        settle(Condition(media=clip(1), frame=frame))


@pytest.mark.parametrize("frame", [1.5, True, "8"])
def test_a_frame_is_a_whole_number(settle, clip, frame):
    """The library says so, too."""
    with pytest.raises(RequestError, match="should be a whole number"):
        settle(Condition(media=clip(1), frame=frame))


@pytest.mark.parametrize("frame", [0, 13, 32])
def test_a_picture_may_be_anywhere(settle, clip, frame):
    """A picture takes one frame of any number, and there is nothing to remark."""
    (got,) = settle(Condition(media=clip(1)[0], frame=frame, strength=0.3))
    assert (got.frame, got.frames, got.strength, got.remark) == (frame, 1, 0.3, None)


@pytest.mark.parametrize(
    ("length", "frame", "kept", "reason"),
    [
        (9, 0, 9, None), (33, 0, 33, None), (17, 16, 17, None), (9, 24, 9, None), (10, 0, 9, "8·n + 1"),
        (5, 0, 1, "8·n + 1"), (40, 0, 33, "room for 33"), (30, 8, 25, "room for 25"), (24, 16, 17, "room for 17"),
        (16, 8, 9, "8·n + 1"),
    ],
)  # fmt: skip
def test_a_sequence_is_trimmed(settle, clip, length, frame, kept, reason):
    """So many frames are used as latent frames hold and as there is room for, and what is cut is told."""
    (got,) = settle(Condition(media=clip(length), frame=frame))
    assert got.frames == kept
    assert (got.remark is None) is (kept == length)
    if got.remark:
        assert f"the first {kept} of {length} frames" in got.remark
        assert reason in got.remark


def test_trimming_is_the_official_codes(clip, settle):
    """Every length at every place that the official code allows is trimmed as its formula says."""
    for frame in range(0, 25, 8):
        for length in range(9, 45):
            (got,) = settle(Condition(media=clip(length), frame=frame))
            assert got.frames == (min(length, 33 - frame) - 1) // 8 * 8 + 1


@pytest.mark.parametrize(
    ("length", "frame", "words"),
    [(9, 4, "take 0 or 8"), (9, 13, "take 8 or 16"), (8, 8, "it has 8"), (9, 32, "room for 1 from frame 32")],
)
def test_a_sequence_that_begins_later_must_fit(settle, clip, length, frame, words):
    """It begins at a latent frame and has two latent frames or more; the message says what would do."""
    with pytest.raises(RequestError, match=words):
        settle(Condition(media=clip(length), frame=frame))


def test_image_to_video_of_diffusers_takes_one_picture(settle, clip):
    """Another frame, another strength, a second picture or a video is refused, with what to do."""
    rules, picture = ConditionRules.IMAGE_TO_VIDEO, clip(1)[0]
    assert settle(rules=rules) == ()
    assert len(settle(Condition(media=picture), rules=rules)) == 1
    asked = [[Condition(media=picture)] * 2, [Condition(media=picture, frame=8)]]
    asked += [[Condition(media=picture, strength=0.5)], [Condition(media=clip(9))]]
    for conditions in asked:
        with pytest.raises(RequestError, match=r"one picture, at frame 0.*leave the compatibility"):
            settle(*conditions, rules=rules)


def test_whose_rules_are_followed():
    """diffusers' class, named by the checkpoint, says how conditions go where diffusers is followed."""
    assert condition_rules(Compat.OFFICIAL, "LTXConditionPipeline") is ConditionRules.OFFICIAL
    assert condition_rules(Compat.DIFFUSERS, "LTXConditionPipeline") is ConditionRules.CONDITION
    for name in ("LTXPipeline", "LTXImageToVideoPipeline"):
        assert condition_rules(Compat.DIFFUSERS, name) is ConditionRules.IMAGE_TO_VIDEO


def test_extra_latent_frames(settle, clip):
    """What begins with the video adds none; a picture adds a latent frame and a sequence two, however long."""
    assert extra_latent_frames(settle(Condition(media=clip(17))), 8) == 0
    conditions = [Condition(media=clip(n), frame=f) for n, f in [(1, 13), (9, 8), (25, 8)]]
    assert extra_latent_frames(settle(*conditions), 8) == 1 + 2 + 2
