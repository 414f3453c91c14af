"""`vidrt bench`: a table for any bundle, and the same as JSON."""

import json
from pathlib import Path

import pytest

SMALL = ("--height", 64, "--width", 64, "--num-frames", 9, "--steps", 2, "--cpu")


def test_a_bundle_is_timed(vidrt):
    """The table has a row a phase, the machine's pace and a sentence on the slowest; the file has every run."""
    ended = vidrt("bench", *SMALL, "--runs", 2, "--json", "figures.json")
    assert ended.status == 0
    lines = ended.out.splitlines()
    assert [line.split()[0] for line in lines[:4]] == ["phase", "text_encoder", "transformer", "vae_decoder"]
    assert "GFLOP/s" in ended.out
    assert lines[-1].split()[1:3] == ["takes", lines[-1].split()[2]]
    figures = json.loads(Path("figures.json").read_text())
    assert (figures["height"], figures["steps"], len(figures["runs"])) == (64, 2, 2)
    assert [phase["component"] for phase in figures["runs"][1]["phases"]] == [
        "text_encoder", "transformer", "vae_decoder"
    ]  # fmt: skip


def test_kept_engines_are_opened_once(vidrt):
    """With --keep-loaded no later run opens anything."""
    assert vidrt("bench", *SMALL, "--runs", 2, "--keep-loaded", "--json", "figures.json").status == 0
    first, second = json.loads(Path("figures.json").read_text())["runs"]
    assert all(phase["opening"] > 0 for phase in first["phases"])
    assert all(phase["opening"] == 0 for phase in second["phases"])


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("--height", 63), "The height should be divisible by 32"),
        (("none",), "none is no bundle"),
        (("--runs", 0), "Invalid value for '--runs'"),
        (("--json", "."), ". is a folder, and a file was to be written there"),
    ],
)
def test_what_cannot_be_right_is_one_sentence(vidrt, arguments, told):
    """Nothing is run for a bad request: status 2 and one line."""
    ended = vidrt("bench", "--cpu", *arguments)
    assert ended.status == 2
    assert ended.err.splitlines()[-1].startswith(f"vidrt: {told}")
    assert ended.out == ""
