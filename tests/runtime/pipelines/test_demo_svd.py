"""The embedded Stable Video Diffusion moves the shape in a picture, as far as it is told, in pictures new to it."""

import numpy as np
import pytest
from vidrt.pipelines.load import load_pipeline

from training.clips.draw import draw
from training.clips.measure import colour_of, motion_of, shape_centres
from training.svd.scenes import FARTHEST, LAST_BUCKET, SEEN, WAYS, pairs, svd_scene

pytestmark = pytest.mark.slow  # makes dozens of clips

BUCKETS = (60, 150, 240)
NEW = pairs(held_out=True)


@pytest.fixture(scope="module")
def pipeline():
    with load_pipeline("demo:svd", device="cpu") as opened:
        yield opened


@pytest.fixture(scope="module")
def clips(pipeline):
    """A clip of each new pair of colour and shape in each motion bucket: rows of pairs."""
    return moved(pipeline, NEW, seed=0)


def moved(pipeline, asked, seed):
    return [
        [pipeline(image=picture(pair, (seed, index)), motion_bucket_id=bucket, seed=seed).frames for bucket in BUCKETS]
        for index, pair in enumerate(asked)
    ]


def picture(pair, seed):
    """A picture of a pair that leaves room for the farthest way."""
    scene = svd_scene(np.random.default_rng(seed), *pair, FARTHEST)
    return draw(scene, 1)[0]


def ways(clips):
    """How far the shape goes in each clip, along its own direction: (N, buckets)."""
    return np.array([[travel(clip) for clip in row] for row in clips])


def travel(clip):
    first, *_, last = shape_centres(clip)
    return float(np.abs(last - first).max())


def right_ways(asked, clips):
    return np.mean([motion_of(row[-1]) is WAYS[shape] for (_, shape), row in zip(asked, clips, strict=True)])


def growing(clips):
    return np.mean([np.all(np.diff(row) > 0) for row in ways(clips)])


def right_colours(asked, clips):
    return np.mean([colour_of(clip) is colour for (colour, _), row in zip(asked, clips, strict=True) for clip in row])


def test_the_pictures_are_ones_that_training_never_saw():
    """None of the pairs of colour and shape is among those that were trained on, and every shape is among the new."""
    assert not set(NEW) & set(SEEN)
    assert {shape for _, shape in NEW} == set(WAYS)


def test_the_defaults_are_the_demo(pipeline, clips):
    """A bare request for a picture gives a clip of the size that the model was trained on."""
    run = pipeline.check(image=picture(NEW[0], 0))
    assert clips[0][0].shape == (run.num_frames, run.height, run.width, 3)
    assert run.num_frames >= 14
    assert min(run.height, run.width) >= 128


def test_shapes_go_their_way(clips):
    """In nine pictures of ten: circles to the right, squares to the left, triangles up."""
    assert right_ways(NEW, clips) >= 0.9


def test_the_motion_bucket_says_how_far(clips):
    """In nine pictures of ten the shape goes farther in each bucket than in the one before."""
    assert growing(clips) >= 0.9


def test_colours_stay(clips):
    """In nine clips of ten."""
    assert right_colours(NEW, clips) >= 0.9


def test_shapes_go_as_far_as_in_training(clips):
    """On average within a twentieth of the frame's side, in each bucket."""
    wanted = np.array(BUCKETS) / LAST_BUCKET * FARTHEST
    assert np.abs(ways(clips).mean(axis=0) - wanted).max() < 0.05


@pytest.mark.slow
def test_many_pictures(pipeline):
    """All of it holds over more pictures and seeds."""
    asked = NEW * 8
    clips = moved(pipeline, asked, seed=1)
    assert right_ways(asked, clips) >= 0.9
    assert growing(clips) >= 0.9
    assert right_colours(asked, clips) >= 0.9
