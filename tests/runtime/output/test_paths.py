"""Files appear whole or not at all, and a folder for results is tried before the work."""

import os
import stat
import tempfile
from pathlib import Path

import pytest
from vidrt.output.errors import OutputError
from vidrt.output.paths import check_output_dir, replacing


def write_half(path, error):
    with replacing(path) as temporary:
        temporary.write_text("half")
        raise error


def test_the_file_appears_at_the_end_with_the_usual_rights(tmp_path):
    (tmp_path / "usual").touch()
    with replacing(tmp_path / "a.txt") as temporary:
        temporary.write_text("whole")
        assert temporary.suffix == ".txt"
        assert not (tmp_path / "a.txt").exists()
    assert (tmp_path / "a.txt").read_text() == "whole"
    assert stat.S_IMODE((tmp_path / "a.txt").stat().st_mode) == stat.S_IMODE((tmp_path / "usual").stat().st_mode)


@pytest.mark.parametrize("error", [RuntimeError("bug"), KeyboardInterrupt()])
def test_any_failure_keeps_the_old_file_and_leaves_nothing_else(tmp_path, error):
    (tmp_path / "a.txt").write_text("old")
    with pytest.raises(type(error)):
        write_half(tmp_path / "a.txt", error)
    assert [file.name for file in tmp_path.iterdir()] == ["a.txt"]
    assert (tmp_path / "a.txt").read_text() == "old"


def test_an_error_of_the_system_becomes_one_sentence(tmp_path):
    with pytest.raises(OutputError, match=r"a\.txt could not be written: No space left on device$"):
        write_half(tmp_path / "a.txt", OSError(28, "No space left on device"))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("folder", [Path(), Path("/")])
def test_a_folder_is_no_file(folder):
    with pytest.raises(OutputError, match="is a folder"), replacing(folder):
        pass


@pytest.mark.parametrize("parent", ["missing", "file"])
def test_a_folder_that_is_not_there_is_named(tmp_path, parent):
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match=f"there is no folder .*{parent}"), replacing(tmp_path / parent / "a.txt"):
        pass


def test_a_path_that_cannot_even_be_looked_at(tmp_path):
    with (
        pytest.raises(OutputError, match="could not be written: File name too long"),
        replacing(tmp_path / ("a" * 300)),
    ):
        pass


def test_trying_the_output_folder_leaves_everything_as_it_was(tmp_path):
    (tmp_path / "there").mkdir()
    check_output_dir(tmp_path / "a" / "b")
    check_output_dir(tmp_path / "there")
    assert [path.name for path in tmp_path.rglob("*")] == ["there"]


@pytest.mark.parametrize("below", ["file", "file/deeper"])
def test_a_file_in_the_place_of_the_output_folder(tmp_path, below):
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match="cannot be made: a file is in its place"):
        check_output_dir(tmp_path / below)


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="needs a user without all rights")
def test_an_output_folder_without_permission(tmp_path):
    tmp_path.chmod(0o500)
    with pytest.raises(OutputError, match="cannot be written to: Permission denied"):
        check_output_dir(tmp_path)
    tmp_path.chmod(0o700)


def test_a_system_that_refuses_the_output_folder(tmp_path, monkeypatch):
    def refuse(**_):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(tempfile, "TemporaryFile", refuse)
    with pytest.raises(OutputError, match="cannot be written to: Permission denied"):
        check_output_dir(tmp_path)
