"""PNG frames are lossless, numbered, and all there or none."""

import numpy as np
import pytest
from PIL import Image
from vidrt.output.errors import OutputError
from vidrt.output.png import write_png_frames


def test_frames_are_numbered_and_lossless(tmp_path, noise_clip):
    write_png_frames(tmp_path / "new" / "frames", noise_clip)
    files = sorted((tmp_path / "new" / "frames").iterdir())
    assert [file.name for file in files] == [f"frame_000{index}.png" for index in range(4)]
    for file, frame in zip(files, noise_clip, strict=True):
        np.testing.assert_array_equal(np.asarray(Image.open(file)), frame)


def test_another_prefix_and_frames_that_were_there(tmp_path, flat_clip, noise_clip):
    write_png_frames(tmp_path, flat_clip, prefix="a_")
    write_png_frames(tmp_path, noise_clip[:1], prefix="a_")
    assert len(list(tmp_path.iterdir())) == 3
    np.testing.assert_array_equal(np.asarray(Image.open(tmp_path / "a_0000.png")), noise_clip[0])


def test_a_full_disk_is_one_sentence_and_leaves_nothing(tmp_path, noise_clip, full_disk):
    with full_disk(), pytest.raises(OutputError, match=r"could not be written to .*: File too large"):
        write_png_frames(tmp_path, noise_clip)
    assert list(tmp_path.iterdir()) == []


def test_a_file_in_place_of_the_folder_is_one_sentence(tmp_path, flat_clip):
    (tmp_path / "a").write_text("mine")
    with pytest.raises(OutputError, match="a file is in its place"):
        write_png_frames(tmp_path / "a", flat_clip)
    assert (tmp_path / "a").read_text() == "mine"
