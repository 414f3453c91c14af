"""`--memory-limit` on the CPU: what is told, what is refused before anything is loaded, and what `vidrt plan` shows."""

import itertools
import json
from pathlib import Path

import pytest
from memory_ways import decoding_of, smaller_and_smaller

RUN = ("--cpu", "--backend", "onnxruntime", "--prompt", "a fox", "--steps", 2, "--seed", 7)
PICTURE = ("--height", 512, "--width", 768, "--num-frames", 1)


@pytest.fixture
def bundle(bundles):
    return ("--bundle", bundles("0.9.5"))


@pytest.fixture
def picked(bundles):
    """The second of the ways that take ever less, and the limit that leaves it: what it takes."""
    decoding = decoding_of(bundles("0.9.5"), height=512, width=768, num_frames=1)
    way, own = next(itertools.islice(smaller_and_smaller(decoding), 1, None))
    return str(way.tiles), own


def test_what_is_picked_is_told_and_recorded(vidrt, bundle, picked):
    """One line on stderr, the tiles in the record; `vidrt decode` picks the same from the latents."""
    tiles, limit = picked[0], ("--memory-limit", picked[1])
    ended = vidrt("generate", *bundle, *RUN, *PICTURE, *limit, "--save-final-latents", "mine.safetensors")
    assert ended.status == 0
    told = [line for line in ended.err.splitlines() if "and the limit is" in line]
    assert [line.split(",")[0] for line in told] == [f"Decoding in tiles of {tiles}"]
    record = Path("output/video.json")
    assert json.loads(record.read_text())["vae_tiles"] == tiles
    record.unlink()
    ended = vidrt("decode", "mine.safetensors", *bundle, "--cpu", "--backend", "onnxruntime", *limit)
    assert (ended.status, ended.err.count(told[0])) == (0, 1)
    assert json.loads(record.read_text())["vae_tiles"] == tiles


def test_what_cannot_fit_is_a_bad_request(vidrt, bundle):
    """One sentence, the status of a request that cannot be right, and no file."""
    ended = vidrt("generate", *bundle, *RUN, "--height", 1024, "--width", 1536, "--memory-limit", "50MB", "--quiet")
    assert (ended.status, ended.err.count("\n"), ended.out) == (2, 1, "")
    assert ended.err.startswith("vidrt: Denoising would take ")
    assert not Path("output").exists()


@pytest.mark.parametrize("limit", ["2GB", "picked", "48MB"])
def test_a_plan_shows_what_would_be_picked(vidrt, bundle, picked, limit):
    """Each phase against the limit instead of free memory, then what is picked, or what would help."""
    told = {
        "2GB": "All of it fits into 2.0 GB.",
        "picked": f"Decoding in tiles of {picked[0]}, which takes ",
        "48MB": "Decoding even in tiles of ",
    }
    ended = vidrt("plan", *bundle, *RUN, *PICTURE, "--memory-limit", picked[1] if limit == "picked" else limit)
    assert ended.status == 0
    assert any(line.startswith(told[limit]) for line in ended.out.splitlines())
    assert ("over the limit" in ended.out) is (limit != "2GB")
