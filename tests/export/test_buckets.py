"""Which videos an engine is built for, and the profiles that follow."""

from itertools import pairwise

import pytest
import tiny_bundles
from hypothesis import given
from hypothesis import strategies as st
from vidrt_engines.axes import axes_of, axis_sizes, first_pass_side
from vidrt_engines.names import Component
from vidrt_engines.profiles import Span, fits
from vidrt_export.buckets import TEXT_TOKENS, of_passes, options_of, profile, read_buckets
from vidrt_export.sources.diffusers_folder import read_diffusers_folder
from vidrt_reference.checkpoint.errors import CheckpointError

BAD = {
    "no size": (["big"], ["9"], 1, "The resolution should be HEIGHTxWIDTH"),
    "two sizes": (["64x64:96x96"], ["9"], 1, "The resolution should be HEIGHTxWIDTH"),
    "an empty size": ([""], ["9"], 1, "The resolution should be HEIGHTxWIDTH"),
    "a size that does not divide": (["64x70"], ["9"], 1, "divisible by 32, and 70 in '64x70'"),
    "a size of nothing": (["0x64"], ["9"], 1, "divisible by 32, and 0 in '0x64'"),
    "a size that falls": (["64x64:96x96:64x96"], ["9"], 1, "should rise from its minimum"),
    "no count": (["64x64"], ["some"], 1, "The frames should be a number or three"),
    "a count below zero": (["64x64"], ["-9"], 1, "The frames should be a number or three"),
    "a count that does not fit": (["64x64"], ["9:10:17"], 1, "and 10 in '9:10:17' is not"),
    "a count of nothing": (["64x64"], ["0"], 1, "and 0 in '0' is not"),
    "a count that falls": (["64x64"], ["17:9:25"], 1, "should rise from its minimum"),
    "counts for other sizes": (["64x64", "96x96"], ["9", "17", "25"], 1, "There are 2 --resolution and 3 --frames"),
    "no video": (["64x64"], ["9"], 0, "The batch should be 1 or more, not 0"),
}
SIDES = st.lists(st.integers(1, 12).map(lambda k: 32 * k), min_size=3, max_size=3).map(sorted)
COUNTS = st.lists(st.integers(0, 20).map(lambda k: 8 * k + 1), min_size=3, max_size=3).map(sorted)


@pytest.fixture(scope="module")
def checkpoint(checkpoints):
    """The form with noise maps, so with every axis that there is."""
    return read_diffusers_folder(checkpoints("0.9.1"))


def sizes_of(checkpoint, component, **video):
    part = checkpoint.parts[component]
    sizes = axis_sizes(checkpoint.settings, **video)
    return {axis: sizes[axis] for axis in axes_of(part.signature)}


@pytest.mark.parametrize("name", BAD)
def test_what_cannot_be_right_is_one_sentence(checkpoint, name):
    """It says what was expected and what came."""
    resolutions, frames, batch, told = BAD[name]
    with pytest.raises(CheckpointError) as caught:
        read_buckets(resolutions, frames, batch, checkpoint.settings)
    assert told in str(caught.value)
    assert str(caught.value).endswith(".")
    assert "\n" not in str(caught.value)


def test_one_size_is_all_three(checkpoint):
    """A single resolution or count is its own minimum, optimum and maximum."""
    (bucket,) = read_buckets(["64x96"], ["9"], 1, checkpoint.settings)
    assert (bucket.height, bucket.width, bucket.frames) == (
        Span(min=64, opt=64, max=64), Span(min=96, opt=96, max=96), Span(min=9, opt=9, max=9),
    )  # fmt: skip


def test_spaces_do_not_count(checkpoint):
    """Neither around a range nor within."""
    settings = checkpoint.settings
    assert read_buckets([" 64x64 : 64x96:96x96 "], [" 9 :9: 17"], 1, settings) == read_buckets(
        ["64x64:64x96:96x96"], ["9:9:17"], 1, settings
    )


def test_the_default_is_the_documented_one(checkpoint):
    """Without options there is one bucket, that of the design."""
    (bucket,) = read_buckets([], [], 1, checkpoint.settings)
    assert bucket.height == Span(min=256, opt=512, max=704)
    assert bucket.width == Span(min=384, opt=768, max=1216)
    assert bucket.frames == Span(min=9, opt=97, max=161)
    assert bucket.batch == Span(min=1, opt=1, max=1)


def test_one_goes_with_all(checkpoint):
    """One range of frames goes with every resolution, one resolution with every range of frames, else pair by pair."""
    heights = {"64x64": 64, "96x96": 96}

    def pairs(resolutions, frames):
        return [(b.height.opt, b.frames.opt) for b in read_buckets(resolutions, frames, 1, checkpoint.settings)]

    assert pairs([*heights], ["9"]) == [(64, 9), (96, 9)]
    assert pairs(["64x64"], ["9", "17"]) == [(64, 9), (64, 17)]
    assert pairs([*heights], ["9", "17"]) == [(64, 9), (96, 17)]


@pytest.mark.parametrize("component", tiny_bundles.COMPONENTS)
def test_a_profile_has_exactly_its_components_axes(checkpoint, component):
    """A span for each named axis of the inputs, and for none besides."""
    (bucket,) = read_buckets([], [], 3, checkpoint.settings)
    part = checkpoint.parts[component]
    found = profile(bucket, component, part.signature, checkpoint.settings)
    assert set(found) == axes_of(part.signature)
    assert all(span.min <= span.opt <= span.max for span in found.values())
    assert found["batch"].max == (3 if component == Component.TRANSFORMER else 1)


@given(data=st.data(), heights=SIDES, widths=SIDES)
def test_both_passes_lie_in_the_profiles(checkpoint, data, heights, widths):
    """Whatever legal size is asked for, every component has a profile for each pass, and for a single one."""
    resolution = ":".join(f"{height}x{width}" for height, width in zip(heights, widths, strict=True))
    (bucket,) = read_buckets([resolution], ["9"], 1, checkpoint.settings)
    height, width = (32 * data.draw(st.integers(sides[0] // 32, sides[2] // 32)) for sides in (heights, widths))
    first = [max(first_pass_side(side, 32), 32) for side in (height, width)]
    second = [2 * side for side in first]
    met = {
        Component.TRANSFORMER: [first, second, [height, width]],
        Component.LATENT_UPSAMPLER: [first],
        Component.VAE_ENCODER: [first, second, [height, width]],
        Component.VAE_DECODER: [second, [height, width]],
        Component.TEXT_ENCODER: [[height, width]],
    }
    for component, sizes in met.items():
        buckets = of_passes(bucket, component, 32)
        assert len(buckets) == (2 if len(sizes) == 3 else 1)
        for rows, columns in sizes:
            assert any(rows in one.height and columns in one.width for one in buckets)


def test_each_pass_is_tuned_for_its_own_size(checkpoint):
    """The optimum of a video is two thirds of it for the first pass, and twice that for the second."""
    (bucket,) = read_buckets(["64x64:704x1216:704x1216"], ["9"], 1, checkpoint.settings)
    first, second = of_passes(bucket, Component.TRANSFORMER, 32)
    assert (first.height, first.width) == (Span(min=32, opt=448, max=448), Span(min=32, opt=800, max=800))
    assert (second.height, second.width) == (Span(min=64, opt=896, max=896), Span(min=64, opt=1600, max=1600))


@given(data=st.data(), heights=SIDES, widths=SIDES, counts=COUNTS, batch=st.integers(1, 4))
def test_every_video_inside_lies_in_the_profile(checkpoint, data, heights, widths, counts, batch):
    """Whatever legal size is asked for between minimum and maximum, each component's profile has it."""
    resolution = ":".join(f"{height}x{width}" for height, width in zip(heights, widths, strict=True))
    (bucket,) = read_buckets([resolution], [":".join(map(str, counts))], batch, checkpoint.settings)
    video = {
        "height": 32 * data.draw(st.integers(heights[0] // 32, heights[2] // 32)),
        "width": 32 * data.draw(st.integers(widths[0] // 32, widths[2] // 32)),
        "num_frames": 8 * data.draw(st.integers(counts[0] // 8, counts[2] // 8)) + 1,
        "text_tokens": data.draw(st.integers(TEXT_TOKENS.min, TEXT_TOKENS.max)),
    }
    for component, part in checkpoint.parts.items():
        found = profile(bucket, component, part.signature, checkpoint.settings)
        together = data.draw(st.integers(1, batch)) if component is Component.TRANSFORMER else 1
        sizes = sizes_of(checkpoint, component, **video, batch=together)
        assert fits(found, sizes)
        if "timestep_tokens" in sizes:  # conditioned on frames, each token has a timestep of its own
            assert fits(found, {**sizes, "timestep_tokens": sizes["tokens"]})
        if component is Component.VAE_ENCODER:  # a picture is a frame by itself
            assert fits(found, {**sizes, "frames": 1})
        optimum = {"height": heights[1], "width": widths[1], "num_frames": counts[1], "text_tokens": TEXT_TOKENS.opt}
        assert sizes_of(checkpoint, component, **optimum) == {axis: span.opt for axis, span in found.items()}


@given(heights=SIDES, widths=SIDES, counts=COUNTS, batch=st.integers(1, 4))
def test_options_read_back_as_the_buckets(checkpoint, heights, widths, counts, batch):
    """The options that are told to ask for buckets ask for these."""
    resolution = ":".join(f"{height}x{width}" for height, width in zip(heights, widths, strict=True))
    buckets = read_buckets([resolution, "64x64"], [":".join(map(str, counts)), "9"], batch, checkpoint.settings)
    words = options_of(buckets)
    given_of = {name: [b for a, b in pairwise(words) if a == name] for name in words}
    together = int(given_of.get("--batch", ["1"])[0])
    again = read_buckets(given_of["--resolution"], given_of["--frames"], together, checkpoint.settings)
    assert again == buckets
