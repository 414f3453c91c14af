"""A video checks what it holds and saves itself by the ending of the name."""

import numpy as np
import pytest
from vidrt.output.errors import OutputError
from vidrt.output.video import Video


@pytest.mark.parametrize(("name", "magic"), [("a.gif", b"GIF89a"), ("A.GIF", b"GIF89a"), ("a.mp4", b"ftyp")])
def test_the_ending_chooses_the_format(tmp_path, flat_clip, name, magic):
    Video(frames=flat_clip, fps=24.0).save(str(tmp_path / name))
    assert magic in (tmp_path / name).read_bytes()[:12]
    assert [file.name for file in tmp_path.iterdir()] == [name]


@pytest.mark.parametrize("name", ["a.mkv", "a", ".gif"])
def test_an_unknown_ending_names_the_known_ones(tmp_path, flat_clip, name):
    with pytest.raises(OutputError, match=r"its ending is to be \.gif or \.mp4"):
        Video(frames=flat_clip, fps=24.0).save(tmp_path / name)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["a.gif", "a.mp4"])
def test_a_folder_in_its_place_is_one_sentence(tmp_path, flat_clip, name):
    (tmp_path / name).mkdir()
    with pytest.raises(OutputError, match="is a folder"):
        Video(frames=flat_clip, fps=24.0).save(tmp_path / name)


@pytest.mark.parametrize(
    "frames",
    [
        np.zeros((2, 8, 8, 3), np.float32),
        np.zeros((8, 8, 3), np.uint8),
        np.zeros((2, 8, 8, 4), np.uint8),
        np.zeros((0, 8, 8, 3), np.uint8),
    ],
)
def test_frames_of_another_kind_are_refused(frames):
    with pytest.raises(ValueError, match="frames are uint8"):
        Video(frames=frames, fps=24.0)


@pytest.mark.parametrize("fps", [0, -1.0, float("nan"), float("inf")])
def test_a_rate_that_is_none_is_refused(flat_clip, fps):
    with pytest.raises(ValueError, match="fps is a number above 0"):
        Video(frames=flat_clip, fps=fps)


def test_the_record_is_kept(flat_clip):
    assert Video(frames=flat_clip, fps=24.0, record={"seed": 7}).record == {"seed": 7}
