"""`vidrt generate --image` and `--condition`: pictures and videos that a video of LTX-Video shows."""

import json
from pathlib import Path

import imageio.v3
import numpy as np
import pytest
from vidrt import Condition, load_pipeline
from vidrt.output.mp4 import write_mp4

PROMPT = "a red circle moves to the right"


@pytest.fixture
def media(place, photo):
    """A photo, a clip of a dozen frames, and one that breaks off, where the command runs."""
    photo.save(place / "photo.png")
    frames = np.stack([np.asarray(photo.crop((x, x, x + 96, x + 64))) for x in range(12)])
    write_mp4(place / "clip.mp4", frames, 8)
    whole = (place / "clip.mp4").read_bytes()
    (place / "half.mp4").write_bytes(whole[: len(whole) // 2])
    (place / "text.mp4").write_text("no film " * 50)
    return place


@pytest.fixture
def demo():
    """The embedded bundle's pipeline."""
    with load_pipeline("demo:ltx-video", device="cpu") as pipeline:
        yield pipeline


def written():
    return np.stack([imageio.v3.imread(path) for path in sorted(Path("output").glob("*.png"))])


def record():
    return json.loads(Path("output/video.json").read_text(encoding="utf-8"))


def difference(one, other):
    return float(np.abs(one.astype(int) - other).mean())


@pytest.mark.usefixtures("media")
def test_options_are_the_librarys(generate, demo):
    """A picture and videos are read as they are written, recorded, and give the library's frames."""
    conditions = ("--condition", "clip.mp4@4:0.5", "--condition", "photo.png@7:0.8")
    ended = generate("--frames", "--seed", "7", "--prompt", PROMPT, "--image", "photo.png", *conditions)
    assert ended.status == 0, ended.err
    assert "Of clip.mp4 the first 5 of 12 frames are used: there is room for 5." in ended.err.splitlines()
    got = record()
    assert got["image"] == "photo.png"
    assert got["conditions"] == [
        {"media": "photo.png", "frame": 0, "strength": 1.0, "frames": 1},
        {"media": "clip.mp4", "frame": 4, "strength": 0.5, "frames": 5},
        {"media": "photo.png", "frame": 7, "strength": 0.8, "frames": 1},
    ]
    asked = {"height": 64, "width": 64, "num_frames": 9, "num_inference_steps": 2, "seed": 7, "prompt": PROMPT}
    items = [Condition(media="clip.mp4", frame=4, strength=0.5), Condition(media="photo.png", frame=7, strength=0.8)]
    frames = demo(image="photo.png", conditions=items, **asked).frames
    assert np.array_equal(written(), frames)
    assert difference(frames, demo(**asked).frames) > 10


def test_a_video_goes_on_and_leads_up(demo):
    """The embedded model keeps what it is given, in front or at the end, and fits the rest to it."""
    asked = {"prompt": PROMPT, "num_inference_steps": 6}
    given = demo(**asked, seed=3).frames
    other = demo(**asked, seed=4).frames
    front = demo(**asked, seed=4, conditions=[Condition(media=given[:9])]).frames
    end = demo(**asked, seed=4, conditions=[Condition(media=given[8:], frame=8)]).frames
    picture = demo(**asked, seed=4, image=given[0]).frames
    apart = difference(other[:9], given[:9])
    assert difference(front[:9], given[:9]) < apart / 2
    assert difference(picture[0], given[0]) < apart / 2
    assert difference(end[12:], given[12:]) < difference(other[12:], given[12:]) / 2
    for frames in (front, end, picture):
        assert np.abs(np.diff(frames.astype(int), axis=0)).mean() < 8  # no cut between what is given and what is made


BAD = {
    "a missing file": (("--condition", "none.mp4@4"), "There is no video none.mp4"),
    "a missing picture": (("--image", "none.png"), "There is no image none.png"),
    "no video": (("--condition", "text.mp4"), "text.mp4 cannot be read as a video"),
    "half a video": (("--condition", "half.mp4"), "half.mp4 "),
    "a frame beyond": (("--condition", "photo.png@9"), "0 to 8, not 9"),
    "a negative frame": (("--condition", "photo.png@-1"), "0 to 8, not -1"),
    "too strong": (("--condition", "photo.png:1.5"), "between 0 and 1, not 1.5"),
    "a video between latent frames": (("--condition", "clip.mp4@3"), "take 0 or 4"),
    "a video without room": (("--condition", "clip.mp4@8"), "room for 1 from frame 8"),
}


@pytest.mark.usefixtures("media")
@pytest.mark.parametrize("what", BAD)
def test_what_cannot_be_right_is_refused(generate, what):
    """One sentence on stderr and exit status 2, before anything is loaded or written."""
    asked, words = BAD[what]
    ended = generate("--prompt", PROMPT, *asked)
    assert ended.status == 2
    assert words in ended.err
    assert ended.err.startswith("vidrt: ")
    assert len(ended.err.splitlines()) == 1
    assert not Path("output").exists()
