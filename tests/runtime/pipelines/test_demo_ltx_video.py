"""The embedded LTX-Video shows what it is asked for, in combinations of colour, shape and motion that are new to it."""

import numpy as np
import pytest
from vidrt.pipelines.load import load_pipeline
from vidrt_engines.places import DEFAULT_BUNDLE

from training.clips.captions import phrase
from training.clips.measure import colour_of, motion_of, shape_of
from training.clips.scene import Colour, Motion, Shape, combinations

ASKED = combinations(held_out=True)
MOVING = [combination for combination in ASKED if combination[2].direction != (0, 0)]


@pytest.fixture(scope="module")
def pipeline():
    with load_pipeline(DEFAULT_BUNDLE, device="cpu") as opened:
        yield opened


@pytest.fixture(scope="module")
def clips(pipeline):
    """A clip of each held-out combination, as the bundle's defaults make it."""
    return shown(pipeline, ASKED)


def shown(pipeline, asked, **options):
    return [
        pipeline(prompt=phrase(*combination), seed=seed, **options).frames for seed, combination in enumerate(asked)
    ]


def share(asked, clips, part, measure):
    """How many of the clips show the part of the combination that was asked for."""
    return np.mean([measure(clip) == combination[part] for combination, clip in zip(asked, clips, strict=True)])


def all_right(asked, clips):
    found = [(colour_of(clip), shape_of(clip), motion_of(clip)) for clip in clips]
    return np.mean([a == b for a, b in zip(asked, found, strict=True)])


def test_the_grid_is_one_that_training_never_saw():
    """Every colour, shape and motion is asked for, and none of the combinations is among those that were trained on."""
    assert not set(ASKED) & set(combinations(held_out=False))
    for part, kinds in enumerate((Colour, Shape, Motion)):
        assert {combination[part] for combination in ASKED} == set(kinds)


def test_the_defaults_are_the_demo(pipeline, clips):
    """The bare request gives a clip of the size that the model was trained on."""
    run = pipeline.check()
    assert run.prompt == "a red circle moves to the right"
    assert clips[0].shape == (run.num_frames, run.height, run.width, 3)
    assert run.num_frames >= 17
    assert min(run.height, run.width) >= 128


def test_the_bare_command_shows_its_prompt(pipeline):
    """For any seed: something red that moves to the right."""
    clips = [pipeline(seed=seed).frames for seed in range(4)]
    assert [colour_of(clip) for clip in clips] == [Colour.RED] * 4
    assert [motion_of(clip) for clip in clips] == [Motion.RIGHT] * 4


def test_colours_are_those_asked_for(clips):
    """In nine clips of ten."""
    assert share(ASKED, clips, 0, colour_of) >= 0.9


def test_shapes_go_the_way_asked_for(clips):
    """In nine clips of ten, in one of eight directions."""
    moving = [clip for clip, combination in zip(clips, ASKED, strict=True) if combination in MOVING]
    assert share(MOVING, moving, 2, motion_of) >= 0.9


@pytest.mark.slow
def test_guidance_makes_it_better(pipeline, clips):
    """Without guidance fewer clips are right in colour, shape and motion together."""
    plain = shown(pipeline, ASKED, guidance_scale=1.0)
    assert all_right(ASKED, plain) < all_right(ASKED, clips)


@pytest.mark.slow
def test_many_seeds_and_stripes(pipeline):
    """Colours and ways hold over more seeds, and on striped backgrounds."""
    asked = MOVING * 3
    for striped in (False, True):
        clips = [
            pipeline(prompt=phrase(*combination, striped=striped), seed=1000 + seed).frames
            for seed, combination in enumerate(asked)
        ]
        assert share(asked, clips, 0, colour_of) >= 0.9
        assert share(asked, clips, 2, motion_of) >= 0.9
