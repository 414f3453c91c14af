"""Folders that appear whole or not at all."""

import hashlib

import pytest
from vidrt_export.writing.files import PARTIAL, clear_partial_folders, described, move_into_place, partial_folder


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt, SystemExit])
def test_a_failure_leaves_no_folder(tmp_path, error):
    """Whatever stops the work, the unfinished folder is gone."""

    def work():
        with partial_folder(tmp_path, "x") as folder:
            (folder / "file").write_text("half")
            raise error

    with pytest.raises(error):
        work()
    assert not list(tmp_path.iterdir())


def test_a_finished_folder_takes_the_place_of_another(tmp_path):
    """What was at the place is replaced, not mixed with what comes."""
    target = tmp_path / "a" / "engine"
    target.mkdir(parents=True)
    (target / "old").write_text("old")
    with partial_folder(tmp_path, "engine") as folder:
        assert folder.name.startswith(PARTIAL)
        (folder / "new").write_text("new")
        move_into_place(folder, target)
    assert [path.name for path in target.iterdir()] == ["new"]
    assert [path.name for path in tmp_path.iterdir()] == ["a"]


def test_left_over_folders_are_cleared(tmp_path):
    """What killed builds have left goes, and nothing else."""
    (tmp_path / f"{PARTIAL}transformer-1").mkdir()
    (tmp_path / f"{PARTIAL}transformer-1" / "model.weights").write_text("half")
    (tmp_path / "transformer").mkdir()
    clear_partial_folders(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["transformer"]


def test_a_file_is_described_by_its_place_size_and_hash(tmp_path):
    """The manifest's entry has forward slashes, relative to the bundle."""
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "b").write_bytes(b"abc")
    entry = described(tmp_path, tmp_path / "a" / "b")
    assert (entry.path, entry.bytes, entry.sha256) == ("a/b", 3, hashlib.sha256(b"abc").hexdigest())
