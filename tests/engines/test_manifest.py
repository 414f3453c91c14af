"""The bundle's manifest: read whole or refused in one sentence, written whole or not at all."""

import dataclasses
import json
import os
from pathlib import Path

import pytest
from vidrt_engines.errors import BundleError
from vidrt_engines.manifest import FORMAT, MANIFEST, BundleFile, bundle_path, read_bundle, write_bundle
from vidrt_engines.names import COMPONENTS, Component, Family, Precision
from vidrt_engines.places import DEFAULT_BUNDLE, find_bundle


def edit(folder, change):
    """Lets `change` alter the manifest's JSON in place."""
    content = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
    change(content)
    (folder / MANIFEST).write_text(json.dumps(content), encoding="utf-8")


def refusal(folder):
    with pytest.raises(BundleError) as error:
        read_bundle(folder)
    assert "\n" not in str(error.value)
    assert str(error.value).endswith(".")
    return str(error.value)


def test_what_is_written_is_read_back(folder, bundle):
    """A manifest comes back as it was, letters outside of ASCII and defaults included."""
    assert read_bundle(folder) == bundle
    assert sorted(file.name for file in folder.iterdir()) == [MANIFEST, "text_encoder", "tokenizer"]


def test_an_unfinished_bundle_is_a_bundle(tmp_path, bundle):
    """A build that has no engine and no tokenizer yet is read: it can be resumed."""
    unfinished = dataclasses.replace(bundle, engines={}, tokenizer=None)
    write_bundle(tmp_path, unfinished)
    assert read_bundle(tmp_path) == unfinished
    assert unfinished.files() == []


def test_the_embedded_bundle_is_whole():
    """The demo bundle that ships with the package can be read and has all four components."""
    demo = read_bundle(find_bundle(DEFAULT_BUNDLE))
    assert set(demo.engines) == set(COMPONENTS[Family.LTX_VIDEO]) - {Component.LATENT_UPSAMPLER}
    assert demo.format == FORMAT


def test_an_engine_takes_the_place_of_its_like_only(bundle, make_engine):
    """A new engine takes the place of the one of its backend and precision, and else stands before the others."""
    again = make_engine("text_encoder/again.onnx")
    wider = make_engine("text_encoder/wider.onnx", precision=Precision.FP32)
    assert bundle.with_engine(Component.TEXT_ENCODER, again).engines == {"text_encoder": (again,)}
    both = bundle.with_engine(Component.TEXT_ENCODER, wider)
    assert both.engines["text_encoder"][0] == wider
    assert [engine.precision for engine in both.engines["text_encoder"]] == ["fp32", "fp16"]
    assert both.with_engine(Component.TEXT_ENCODER, again).engines["text_encoder"] == (wider, again)
    assert set(bundle.with_engine(Component.TRANSFORMER, again).engines) == {"text_encoder", "transformer"}


def test_a_newer_format_says_so(folder):
    """A bundle of a later format is not guessed at: both numbers, and the line that upgrades."""
    edit(folder, lambda content: content.update(format=FORMAT + 1, settings="of another kind"))
    assert refusal(folder) == (
        f"{folder / MANIFEST} has format {FORMAT + 1} and this vidrt reads up to {FORMAT}; "
        "upgrade with pip install -U vidrt."
    )


@pytest.mark.parametrize("number", [None, 0, -1, "1", 1.5, True, [1]])
def test_a_format_that_is_no_number_is_refused(folder, number):
    """Without a format number from 1 up nothing else of the file is believed."""
    edit(folder, lambda content: content.update(format=number))
    assert "format" in refusal(folder)


def test_a_folder_without_a_manifest_is_no_bundle(tmp_path):
    """A folder that is missing, empty or a file is told to be no bundle, and what makes one."""
    (tmp_path / "file").touch()
    for place in (tmp_path, tmp_path / "none", tmp_path / "file"):
        assert refusal(place) == f"{place} is no bundle: it has no bundle.json; make one with build-engines."


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"null", b"\x80"])
def test_damaged_json_is_refused(folder, content):
    """A manifest that was cut off or overwritten is refused, and the command that mends it named."""
    (folder / MANIFEST).write_bytes(content)
    assert "build-engines" in refusal(folder)


def test_a_manifest_cut_off_anywhere_is_refused(folder):
    """There is no length at which a manifest that lost its end reads as a whole one."""
    whole = (folder / MANIFEST).read_bytes()
    for length in range(0, len(whole) - 1, 7):
        (folder / MANIFEST).write_bytes(whole[:length])
        refusal(folder)


@pytest.mark.parametrize("name", ["format", "family", "model_version", "settings"])
def test_a_missing_field_is_named(folder, name):
    """A manifest that lacks a field without a default names it."""
    edit(folder, lambda content: content.pop(name))
    assert name in refusal(folder)


def test_a_family_of_a_later_version_is_refused(folder):
    """A family that is not known lists those that are."""
    edit(folder, lambda content: content.update(family="cog"))
    assert refusal(folder) == "bundle.json.family should be one of ltx-video, svd, not 'cog'."


def test_a_missing_file_is_named(folder):
    """An engine's file that is not there is named before anything opens it."""
    (folder / "text_encoder/model.onnx").unlink()
    assert refusal(folder) == (
        f"{folder} lacks its file text_encoder/model.onnx; build the bundle again with build-engines."
    )


def test_an_engine_without_files_is_refused(folder):
    """An engine that names no file is a damaged manifest, told before anything would open it."""
    edit(folder, lambda content: content["engines"]["text_encoder"][0].update(files=[]))
    assert "names no files of its text_encoder; build the bundle again" in refusal(folder)


def test_a_folder_is_no_file(folder):
    """A folder in the place of a file is a file that is missing."""
    (folder / "tokenizer/tokenizer.json").unlink()
    (folder / "tokenizer/tokenizer.json").mkdir()
    assert "lacks its file tokenizer/tokenizer.json" in refusal(folder)


@pytest.mark.parametrize("content", [b"", b"grap", b"graphs"])
def test_a_file_of_another_size_is_told_by_its_bytes(folder, content):
    """A file that was cut off or has grown says how many bytes were expected and how many there are."""
    (folder / "text_encoder/model.onnx").write_bytes(content)
    assert f"should have 5 bytes and has {len(content)};" in refusal(folder)


LEADING_OUT = [
    "/etc/passwd", "../outside", "text_encoder/../../outside", "text_encoder/..", "..", "text_encoder\\model.onnx",
    "..\\outside", "C:/outside", "C:outside", "c:\\outside", "\\\\host\\share", "outside\0", "out/link/outside", "link",
]  # fmt: skip


@pytest.fixture
def linked(folder, tmp_path_factory):
    """The bundle with a link in it to a file outside, and one to the folder of that file."""
    outside = tmp_path_factory.mktemp("elsewhere") / "outside"
    outside.write_bytes(b"graph")
    (folder / "out").mkdir()
    (folder / "out/link").symlink_to(outside.parent)
    (folder / "link").symlink_to(outside)
    return folder


@pytest.mark.parametrize("path", LEADING_OUT, ids=repr)
def test_a_path_may_not_leave_the_bundle(linked, path):
    """Absolute paths, "..", backslashes, drive letters and links that lead out are refused, whatever lies there."""
    with pytest.raises(BundleError, match=r"leaves the bundle; do not use this bundle\.$"):
        bundle_path(linked, path)


@pytest.mark.parametrize("path", LEADING_OUT, ids=repr)
@pytest.mark.parametrize("place", ["tokenizer", "engine"])
def test_reading_refuses_paths_that_leave_the_bundle(linked, place, path):
    """No field of the manifest may name such a path."""

    def lead_out(content):
        entry = content["tokenizer"] if place == "tokenizer" else content["engines"]["text_encoder"][0]["files"][0]
        entry.update(path=path, bytes=5)

    edit(linked, lead_out)
    assert "leaves the bundle" in refusal(linked)


def test_paths_inside_are_allowed(linked):
    """Folders, names with dots and links that stay inside are no way out; a bundle may itself be a link."""
    (linked / "inner").symlink_to("text_encoder/model.onnx")
    for path in ("text_encoder/model.onnx", "a..b", ".hidden/..c", "inner", "none yet"):
        assert bundle_path(linked, path) == linked / path
    whole = linked.parent / "link to the bundle"
    whole.symlink_to(linked)
    assert read_bundle(whole) == read_bundle(linked)


@pytest.mark.parametrize("moment", ["open", "fsync", "replace"])
@pytest.mark.parametrize("error", [KeyboardInterrupt(), OSError(28, "No space left on device")], ids=["stop", "full"])
def test_an_interrupted_write_leaves_the_old_manifest(folder, bundle, monkeypatch, moment, error):
    """Whenever writing stops, a reader finds the old manifest, and the next write the new one."""

    def interrupt(*_, **__):
        raise error

    with monkeypatch.context() as patch:
        patch.setattr(os if moment == "fsync" else Path, moment, interrupt)
        with pytest.raises(type(error)):
            write_bundle(folder, dataclasses.replace(bundle, model_version="0.9.5"))
    assert read_bundle(folder) == bundle
    write_bundle(folder, dataclasses.replace(bundle, model_version="0.9.5"))
    assert read_bundle(folder).model_version == "0.9.5"


def test_the_new_manifest_is_on_the_disk_before_it_takes_the_name(folder, bundle, monkeypatch):
    """All bytes are written and synced under another name before the rename."""
    events = []
    real_sync, real_replace = os.fsync, Path.replace

    def sync(descriptor):
        events.append(("fsync", os.fstat(descriptor).st_size))
        real_sync(descriptor)

    def replace(path, target):
        events.append(("replace", path.stat().st_size))
        return real_replace(path, target)

    monkeypatch.setattr(os, "fsync", sync)
    monkeypatch.setattr(Path, "replace", replace)
    write_bundle(folder, bundle)
    size = (folder / MANIFEST).stat().st_size
    assert events[:2] == [("fsync", size), ("replace", size)]


def test_every_file_of_a_bundle_is_listed(bundle, make_engine, stored):
    """`files` gives those of every engine of every component, and the tokenizer."""
    extra = BundleFile(path="vae/weights", bytes=1, sha256="")
    more = bundle.with_engine(Component.VAE_DECODER, make_engine("vae/model", files=(stored("vae/m", b"1"), extra)))
    assert [file.path for file in more.files()] == [
        "text_encoder/model.onnx", "vae/m", "vae/weights", "tokenizer/tokenizer.json",
    ]  # fmt: skip
