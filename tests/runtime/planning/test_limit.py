"""Which way of decoding a memory limit leaves: never one above it, and never smaller tiles for more memory."""

import dataclasses

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from vidrt.components.tiles import Tiles
from vidrt.errors import RequestError
from vidrt.pipelines.decode_options import DecodeOptions
from vidrt.pipelines.load import load_pipeline
from vidrt.planning.calibration import PROCESS
from vidrt.planning.decoding import Decoding
from vidrt.planning.engines import LatentSize, weights
from vidrt.planning.limit import check_limit, chosen, fitting, over, picked, smaller_engines
from vidrt_engines.manifest import read_bundle, write_bundle
from vidrt_engines.names import Backend, Precision

WHOLE = DecodeOptions()
SIZES = st.builds(LatentSize, frames=st.integers(1, 33), rows=st.integers(1, 24), columns=st.integers(1, 40))
LIMITS = st.integers(PROCESS, 6 * 10**9)


@pytest.fixture(scope="module")
def decoding(bundles):
    """Videos of any size and number to be decoded by a decoder with stages, or by what it is without them."""
    bundle = read_bundle(bundles("0.9.5"))
    (engine, *_) = bundle.engines["vae_decoder"]

    def make(latents, videos=1, *, stages=True):
        played = engine if stages else dataclasses.replace(engine, stages=())
        return Decoding(engine=played, settings=bundle.ltx, latents=latents, videos=videos)

    return make


@settings(deadline=None, max_examples=50, suppress_health_check=[HealthCheck.too_slow])
@given(size=SIZES, videos=st.integers(1, 3), stages=st.booleans(), limits=st.tuples(LIMITS, LIMITS))
def test_what_is_picked_fits_and_grows_with_the_limit(decoding, size, videos, stages, limits):
    """The estimate of what is picked is within the limit; with more memory tiles are as large or larger."""
    made = decoding(size, videos, stages=stages)
    ways, small, large = list(made.ways(WHOLE)), *sorted(limits)
    few, many = fitting(made, WHOLE, small), fitting(made, WHOLE, large)
    assert few is None or made.need(few).own <= small
    assert many is None or made.need(many).own <= large
    if few is not None:
        assert many is not None
        assert ways.index(many) <= ways.index(few)
        assert many.tiles is None or many.tiles.height >= few.tiles.height


def test_the_ways_begin_as_without_a_limit_and_halve(decoding):
    """Whole frames, then tiles of half the size again and again, each with ever fewer frames, and none twice."""
    ways = list(decoding(LatentSize(frames=13, rows=16, columns=24)).ways(WHOLE))
    assert ways[0] == WHOLE
    named = [str(way.tiles) for way in ways[1:]]
    assert named[:6] == ["512x512", "512x512x64", "512x512x32", "512x512x16", "256x256", "256x256x64"]
    assert named[-1] == "32x32x16"
    small = [str(way.tiles) for way in decoding(LatentSize(frames=3, rows=3, columns=3)).ways(WHOLE)]
    assert small == ["None", "512x512x16", "64x64", "64x64x16", "32x32", "32x32x16"]
    assert list(decoding(LatentSize(frames=3, rows=3, columns=3)).ways(DecodeOptions(tiles=Tiles()))) == [
        DecodeOptions(tiles=Tiles())
    ]


def test_frames_that_are_written_as_they_come_take_no_memory(decoding):
    """Kept frames count as bytes, of all videos."""
    made = decoding(LatentSize(frames=13, rows=16, columns=24), videos=2)
    kept = made.need(WHOLE).own - made.need(dataclasses.replace(WHOLE, keeps_frames=False)).own
    assert kept == 2 * 97 * 512 * 768 * 3


def test_what_was_picked_and_why_is_a_line(decoding):
    """The way, its estimate, that of whole frames, and the limit; nothing where nothing changes."""
    made = decoding(LatentSize(frames=13, rows=16, columns=24), stages=False)
    limit = made.need(WHOLE).own - 1
    way = chosen(made, WHOLE, limit)
    line = picked(made, WHOLE, way, limit)
    assert line.startswith(f"Decoding in tiles of {way.tiles}, which takes ")
    assert "whole frames would take" in line
    assert picked(made, WHOLE, WHOLE, limit) is None


@pytest.mark.parametrize(
    ("options", "limit", "told"),
    [
        (WHOLE, PROCESS, r"Decoding even in tiles of \d+x\d+x16 would take .* take an MP4 alone|a smaller"),
        (DecodeOptions(tiles=Tiles()), 300_000_000, "Decoding in tiles of 512x512 would take .*: take (no )?tiles"),
        (DecodeOptions(slicing=False), 900_000_000, "take one video after the other"),
    ],
)
def test_what_cannot_be_decoded_is_refused_with_what_would_help(decoding, sentence, options, limit, told):
    """Tiles and calls that were asked for are not overridden."""
    made = decoding(LatentSize(frames=13, rows=16, columns=24), videos=1 if options.slicing else 6)
    with pytest.raises(RequestError, match=told) as error:
        chosen(made, options, limit)
    sentence(error)


def test_a_limit_below_everything_is_refused(sentence):
    """What a process takes that does nothing is the least."""
    check_limit(PROCESS)
    with pytest.raises(RequestError, match="A memory limit of 0 MB is less than the 45 MB") as error:
        check_limit(1000)
    sentence(error)


def test_the_limit_that_would_do_is_named():
    """Rounded up, so that giving it is enough."""
    assert over("denoising", 1_234_567_890, 10**9, ["at most 9 frames"]) == (
        "Denoising would take 1.2 GB of memory by estimate, and the limit is 1.0 GB: take at most 9 frames or a limit "
        "of 1.24GB."
    )


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"backend": Backend.OPENVINO}, ["--backend onnxruntime, which leaves weights in their file"]),
        ({"precision": Precision.GGUF}, ["a text encoder that is of no GGUF file, whose weights stay in their file"]),
        ({"precision": Precision.BF16}, ["a text encoder in int8"]),
        ({"precision": Precision.INT8}, []),
    ],
)
def test_smaller_engines_are_named(bundles, changes, told):
    """What leaves weights in their file, or widens none."""
    engine = read_bundle(bundles("0.9.5")).engines["text_encoder"][0]
    assert smaller_engines(dataclasses.replace(engine, **changes), "text encoder") == told


def test_openvino_holds_its_weights(bundles):
    """They count as memory, not as a file: as many bytes as they are stored in."""
    engine = read_bundle(bundles("0.9.5")).engines["text_encoder"][0]
    mapped = weights(engine)
    held = weights(dataclasses.replace(engine, backend=Backend.OPENVINO))
    assert (mapped.own, held.mapped) == (0, 0)
    assert held.own == mapped.mapped


def test_older_bundles_are_refused(demo_copy, sentence):
    """What a build has not counted cannot be held to a limit: the command that counts it is named."""
    bundle = read_bundle(demo_copy)
    older = {
        name: tuple(dataclasses.replace(engine, activations=None) for engine in group)
        for name, group in bundle.engines.items()
    }
    write_bundle(demo_copy, dataclasses.replace(bundle, engines=older))
    with pytest.raises(RequestError, match="run its build-engines again with the same --out") as error:
        load_pipeline(demo_copy, device="cpu", backend="onnxruntime", memory_limit="8GiB")
    sentence(error)
