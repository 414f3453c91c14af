"""A memory limit on the CPU: what it leaves makes the frames of that way, and what cannot fit opens nothing."""

import dataclasses
import itertools
import json
import shutil
import subprocess
import sys

import numpy as np
import pytest
from memory_ways import decoding_of, smaller_and_smaller
from vidrt import Condition, load_pipeline
from vidrt.components.vae_encoder import VaeEncoder
from vidrt.errors import RequestError
from vidrt.pipelines.decode_options import DecodeOptions
from vidrt.planning.encoding import encoding_need
from vidrt_engines.axes import axis_sizes
from vidrt_engines.manifest import read_bundle, write_bundle

# a decoder with stages streams longer videos in less than a tile takes; pictures, and older builds, are cut
PICTURE = {"height": 512, "width": 768, "num_frames": 1, "num_inference_steps": 2, "seed": 7, "prompt": "a fox"}
CLIP = {**PICTURE, "height": 128, "width": 192, "num_frames": 17}
LARGE = {**PICTURE, "num_frames": 97}


@pytest.fixture(scope="module")
def folders(bundles, tmp_path_factory):
    """A bundle as it is built, and one of before there were stages."""
    folder = tmp_path_factory.mktemp("older") / "bundle"
    bundle = read_bundle(shutil.copytree(bundles("0.9.5"), folder))
    engines = {
        name: tuple(dataclasses.replace(engine, stages=()) for engine in group)
        for name, group in bundle.engines.items()
    }
    write_bundle(folder, dataclasses.replace(bundle, engines=engines))
    return {"new": bundles("0.9.5"), "older": folder}


def opened_on(folder, **options):
    return load_pipeline(folder, device="cpu", backend="onnxruntime", **options)


@pytest.mark.parametrize(("build", "request_"), [("new", PICTURE), ("older", CLIP)], ids=["stages", "no stages"])
def test_the_first_way_that_fits_makes_the_frames(folders, notes, build, request_):
    """With ever less memory: whole frames, then smaller tiles, each with the frames of those tiles asked for."""
    folder, told = folders[build], []
    found = list(smaller_and_smaller(decoding_of(folder, **request_)))[:3]
    assert len(found) == 3
    for way, limit in found:
        with opened_on(folder, memory_limit=limit, progress=notes) as pipeline:
            video = pipeline(**request_)
        with opened_on(folder, decoding=way) as pipeline:
            assert np.array_equal(pipeline(**request_).frames, video.frames)
        assert video.record.get("vae_tiles") == (str(way.tiles) if way.tiles else None)
        told += [line for line in notes.lines if line.startswith("Decoding in tiles of ")]
        notes.lines.clear()
    assert [line.split(",")[0] for line in told] == [f"Decoding in tiles of {way.tiles}" for way, _ in found[1:]]


def test_what_cannot_fit_opens_nothing(folders, opened, sentence):
    """Denoising cannot be cut: the most frames that fit are named, they do fit, and more do not."""
    limit = 54_000_000
    with opened_on(folders["new"], memory_limit=limit, decoding=DecodeOptions(keeps_frames=False)) as pipeline:
        with pytest.raises(RequestError, match="take at most ") as error:
            pipeline.check(**LARGE)
        frames = int(sentence(error).split("take at most ")[1].split()[0])
        pipeline.check(**{**LARGE, "num_frames": frames})
        for videos in (pipeline.check, pipeline.denoise):
            with pytest.raises(RequestError, match="would take"):
                videos(**{**LARGE, "num_frames": frames + 8})
    assert frames % 8 == 1
    assert opened == []


def test_a_larger_limit_changes_nothing(folders, notes):
    """Where everything fits, frames, record and what is told are those without a limit."""
    with opened_on(folders["new"], memory_limit="8GiB", progress=notes) as pipeline:
        limited = pipeline(**CLIP)
    lines = list(notes.lines)
    notes.lines.clear()
    with opened_on(folders["new"], progress=notes) as pipeline:
        free = pipeline(**CLIP)
    assert (limited.record, lines) == (free.record, notes.lines)
    assert np.array_equal(limited.frames, free.frames)


@pytest.mark.parametrize("fits", [True, False])
def test_engines_stay_open_only_if_all_fit_together(folders, opened, notes, fits):
    """A service keeps what it has opened, or closes it between phases and says so."""
    with opened_on(folders["older"], keep_loaded=True) as pipeline:
        sizes = pipeline.sizes(**CLIP)
    assert sizes
    limit = "1GB" if fits else decoding_of(folders["older"], **CLIP).need(DecodeOptions()).own
    with opened_on(folders["older"], keep_loaded=True, memory_limit=limit, progress=notes) as pipeline:
        opened.clear()
        pipeline(**CLIP)
        closed = [what for event, what in opened if event == "close"]
    assert closed == ([] if fits else ["text encoder", "transformer", "VAE decoder"])
    assert any(line.startswith("Engines are closed between phases: ") for line in notes.lines) is not fits


def test_a_long_clip_is_encoded_by_streaming(folders, monkeypatch):
    """Where a clip at once is over the limit, it goes through in parts, to the same latents."""
    clip = np.random.default_rng(0).integers(0, 255, (97, 128, 128, 3), np.uint8)
    request = {**CLIP, "width": 128, "num_frames": 97, "conditions": [Condition(media=clip)]}
    bundle = read_bundle(folders["new"])
    sizes = axis_sizes(bundle.ltx, height=128, width=128, num_frames=97, text_tokens=1)
    limit = encoding_need(bundle.engines["vae_encoder"][0], sizes).own - 1
    streamed, stream = [], VaeEncoder.stream
    monkeypatch.setattr(VaeEncoder, "stream", lambda *given: streamed.append(True) or stream(*given))
    made = {}
    for given in (None, limit):
        with opened_on(folders["new"], memory_limit=given) as pipeline:
            made[given] = next(pipeline.denoise(**request)).latents
            assert bool(streamed) is (given is not None)
    assert np.abs(made[None] - made[limit]).max() < 1e-4


def test_tiles_that_were_asked_for_are_not_overridden(folders, sentence):
    """Tiles that are over the limit are refused, with those that fit."""
    tiles, small = itertools.islice(smaller_and_smaller(decoding_of(folders["new"], **PICTURE)), 1, 3)
    with (
        opened_on(folders["new"], memory_limit=small[1], decoding=tiles[0]) as pipeline,
        pytest.raises(RequestError, match=f"take tiles of {small[0].tiles} or a limit of") as error,
    ):
        pipeline.check(**PICTURE)
    sentence(error)


_MEASURED = """
import json, sys
from vidrt import load_pipeline
from vidrt.bench.memory import sampled
folder, limit, request = json.loads(sys.argv[1])
with load_pipeline(folder, device="cpu", backend="onnxruntime", memory_limit=limit) as pipeline, sampled() as samples:
    video = pipeline(**request)
print(json.dumps([video.record.get("vae_tiles"), max(sample.anonymous for sample in samples.taken)]))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="other systems do not tell what is anonymous")
def test_a_process_stays_within_its_limit(folders):
    """Measured: tiles keep a run below a limit that it is over without one."""
    folder, request = folders["older"], {**PICTURE, "num_frames": 17}
    (_, most), (way, least) = itertools.islice(smaller_and_smaller(decoding_of(folder, **request)), 1, 3)
    limit = (most + least) // 2
    tiles, peak = measured(folder, limit, request)
    assert tiles == str(way.tiles)
    assert peak <= limit < measured(folder, None, request)[1]


def measured(folder, limit, request):
    """The tiles of a run in a process of its own, and the most anonymous memory that it held."""
    given = json.dumps([str(folder), limit, request])
    command = [sys.executable, "-c", _MEASURED, given]
    return json.loads(subprocess.run(command, capture_output=True, text=True, timeout=240, check=True).stdout)
