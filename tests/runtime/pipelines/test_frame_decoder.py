"""Decoding where memory ends: smaller tiles, what was given is not given again, and the end of it."""

import contextlib
import json
import subprocess
import sys

import numpy as np
import pytest
from vidrt.components.tiles import Tiles
from vidrt.errors import EngineError, OutOfMemoryError
from vidrt.pipelines.decode_options import DecodeOptions
from vidrt.pipelines.ltx_video.frame_decoder import FrameDecoder, smaller_tiles
from vidrt.sessions.failures import failure

SHAPE = (1, 2, 5, 4, 24)  # 33 frames of 128 x 768 pixels
WHOLE = "There is not enough memory to decode whole frames: going on in tiles of "


class Decoder:
    """Decodes to the number of the latent frame, and lacks memory for more than so many latents at once."""

    def __init__(self, room, *, before=0, stages=(), least=0):
        self.room, self.before, self.stages, self.least = room, before, stages, least
        self.engine, self.closed = self, 0

    def close(self):
        self.closed += 1

    @contextlib.contextmanager
    def held_for_tiles(self, frames):
        assert max(frames) <= SHAPE[2]
        yield

    def refusal(self, sizes, _):
        return "It was built for larger ones." if sizes["latent_columns"] < self.least else None

    def stream(self, latents, _timestep, _maps):
        numbers = np.repeat(latents[:, :1], 8, axis=2)[:, :, 7:].repeat(32, axis=3).repeat(32, axis=4)
        frames = np.repeat(numbers, 3, axis=1)
        if latents[0, 0].size <= self.room:
            yield frames
            return
        if self.before:
            yield frames[:, :, : self.before]
        raise OutOfMemoryError("The VAE decoder failed: bad_alloc.")


def decoded(decoder, make_settings, tiles=None):
    notes = []
    latents = np.broadcast_to(np.arange(5, dtype=np.float32).reshape(5, 1, 1), SHAPE).copy()
    frames = FrameDecoder(decoder, make_settings(latent_channels=2), DecodeOptions(tiles=tiles), notes.append)
    return list(frames.frames(latents, None, ())), notes


@pytest.mark.parametrize("before", [0, 1, 9])
def test_smaller_tiles_go_on_where_memory_ended(make_settings, before):
    """Tiles that are half as large take over, each time with a line; no frame comes twice and none is missing."""
    decoder = Decoder(room=40, before=before, stages=("a stage",))
    parts, notes = decoded(decoder, make_settings)
    assert notes == [
        f"{WHOLE}512x512.",
        "There is not enough memory to decode tiles of 512x512: going on in tiles of 256x256.",
        "There is not enough memory to decode tiles of 256x256: going on in tiles of 128x128.",
        "There is not enough memory to decode tiles of 128x128: going on in tiles of 64x64.",
    ]
    assert decoder.closed == len(notes)
    frames = np.concatenate(parts, axis=2)
    assert frames.shape == (1, 3, 33, 128, 768)
    wanted = np.arange(40)[7:] // 8
    assert np.abs(frames[0, 0] - wanted.reshape(-1, 1, 1)).max() <= 1e-6


def test_there_is_an_end(make_settings):
    """Where not even a latent by itself fits, one sentence says so, and the backend's error lies beneath."""
    with pytest.raises(OutOfMemoryError, match="not enough memory to decode even tiles of 32x32:") as error:
        decoded(Decoder(room=0, stages=("a stage",)), make_settings)
    assert "bad_alloc" in str(error.value.__cause__)


def test_other_failures_are_no_matter_of_size(make_settings):
    """Only lack of memory is met with tiles."""
    decoder = Decoder(room=0)
    decoder.stream = lambda *_: iter(["no array"])
    with pytest.raises(AttributeError):
        decoded(decoder, make_settings)


def test_tiles_that_the_engine_was_not_built_for_are_passed_over(make_settings):
    """Engines of certain sizes get the largest tiles that they take, ends included."""
    settings = make_settings(latent_channels=2)
    staged, brief = (Decoder(room=0, stages=stages, least=8) for stages in (("a stage",), ()))
    sizes = [str(tiles) for tiles in smaller_tiles(None, SHAPE, staged, settings)]
    assert sizes == ["512x512"]
    assert [str(tiles) for tiles in smaller_tiles(None, SHAPE, brief, settings)] == ["512x512"]
    free = [str(tiles) for tiles in smaller_tiles(None, SHAPE, Decoder(room=0), settings)]
    assert free == ["512x512", "256x256x16", "128x128x16", "64x64x16", "32x32x16"]
    after = smaller_tiles(Tiles(height=64, width=96), SHAPE, staged, settings)
    assert not list(after)


@pytest.mark.parametrize(
    "text",
    [
        "bfc_arena.cc:360 void* AllocateRawInternal() Failed to allocate memory for requested buffer of size 8493",
        "std::bad_alloc",
        "CUDA failure 2: out of memory ; GPU=0",
        "CUBLAS_STATUS_ALLOC_FAILED",
        "Error Code 2: OutOfMemory (Requested size was 4294967296 bytes.)",
        "Available memory of 1024 is smaller than requested bytes of 4096",
    ],
)
def test_all_backends_have_one_error_for_it(text):
    """What a backend says when memory ends becomes the one type that callers can catch."""
    assert type(failure("It failed.", RuntimeError(text))) is OutOfMemoryError
    assert type(failure("It failed.", MemoryError())) is OutOfMemoryError
    assert type(failure("It failed.", RuntimeError("Non-zero status code: shapes differ"))) is EngineError


_LIMITED = """
import dataclasses, json, resource
import numpy as np
from vidrt import load_pipeline
from vidrt.components.tiles import parse_tiles
from vidrt.pipelines.decode_options import DecodeOptions
from vidrt.pipelines.ltx_video.frame_decoder import FrameDecoder

with load_pipeline("demo:ltx-video", device="cpu", backend="onnxruntime") as pipeline:
    decoder, settings, notes = pipeline.components["vae_decoder"], pipeline.bundle.ltx, []
    latents = np.random.default_rng(0).standard_normal((1, settings.latent_channels, 2, 32, 40), np.float32)
    decoder.engine.stages = ()  # at once, as an engine that was built without
    decoder.engine.engine = dataclasses.replace(decoder.engine.engine, stages=())
    decoder(latents[..., :2, :2], 0.05)
    size = next(int(line.split()[1]) << 10 for line in open("/proc/self/status") if line.startswith("VmSize"))

    def decoded(tiles):
        frames = FrameDecoder(decoder, settings, DecodeOptions(tiles=tiles), notes.append).frames(latents, 0.05, ())
        return np.concatenate(list(frames), axis=2)

    tight = size + (300 << 20)
    resource.setrlimit(resource.RLIMIT_AS, (tight, resource.RLIM_INFINITY))
    found = decoded(None)
    resource.setrlimit(resource.RLIMIT_AS, (resource.RLIM_INFINITY,) * 2)
    last = notes[-1].rsplit(" ", 1)[1].rstrip(".")
    print(json.dumps([notes, bool(np.array_equal(found, decoded(parse_tiles(last)))), list(found.shape)]))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="other systems do not hold a process to a size")
def test_a_process_that_may_not_grow_decodes_in_tiles():
    """onnxruntime itself runs out of memory, says nothing on its own, and the frames come in tiles."""
    ended = subprocess.run([sys.executable, "-c", _LIMITED], capture_output=True, text=True, timeout=240, check=True)
    notes, is_equal, shape = json.loads(ended.stdout)
    assert notes[0] == f"{WHOLE}512x512."
    assert is_equal
    assert shape == [1, 3, 5, 1024, 1280]
    assert not ended.stderr
