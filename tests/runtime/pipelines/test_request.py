"""A request is settled or refused in one sentence, before anything is loaded."""

import dataclasses
import re

import pytest
from vidrt.errors import RequestError
from vidrt.pipelines.ltx_video.request import Request
from vidrt.pipelines.ltx_video.settling import settle
from vidrt_engines.settings import Defaults
from vidrt_engines.versions import NEGATIVE_PROMPT, VERSIONS, version_named

DEFAULTS = Defaults(height=128, width=192, num_frames=25, fps=12.5, num_inference_steps=20, prompt="own")
NAN, INF = float("nan"), float("inf")


@pytest.fixture
def run(make_settings):
    def make(version="0.9.5", *, defaults=DEFAULTS, versions=(), has_embeddings=False, can_upscale=True,
             **options):  # fmt: skip
        settings = make_settings(defaults=defaults, versions=versions)
        return settle(Request(**options), settings, version, has_embeddings=has_embeddings, can_upscale=can_upscale)

    return make


def test_what_is_not_asked_is_the_bundles(run):
    """Size, length, rate, steps and prompt come from the bundle, the rest from its model version."""
    got = run()
    assert (got.height, got.width, got.num_frames, got.fps) == (128, 192, 25, 12.5)
    assert (got.num_inference_steps, got.prompt, got.num_videos) == (20, "own", 1)
    assert (got.negative_prompt, got.ltxv_version, got.compat) == (NEGATIVE_PROMPT, "0.9.5", "official")
    assert got.conventions.guidance == version_named(got.ltxv_version).guidance


@pytest.mark.parametrize(("version", "steps"), [("0.9.0", 40), ("0.9.6-distilled", 8), ("0.9.8-13b-dev", 30)])
def test_where_the_bundle_says_no_steps_the_version_does(run, version, steps):
    """A bundle without a number of steps takes its version's."""
    assert run(version, defaults=Defaults(prompt="own")).num_inference_steps == steps


def test_what_is_asked_is_taken(run):
    """Every option of a request reaches the run as it was asked."""
    asked = {
        "prompt": " a cat ", "negative_prompt": "", "height": 32, "width": 64, "num_frames": 1, "fps": 30.0,
        "num_videos": 2, "num_inference_steps": 1, "seed": 2**64 - 1, "ltxv_version": "0.9.1", "compat": "diffusers",
    }  # fmt: skip
    got = run(**asked, guidance_scale=4.5)
    assert {name: getattr(got, name) for name in asked} == asked
    assert got.conventions.guidance.at(0.5).scale == 4.5
    assert got.conventions.text_limit == 128


def test_one_scale_takes_the_place_of_a_whole_list(run):
    """A guidance scale asked for holds at every step of a version that has one by timestep."""
    guidance = run("0.9.8-13b-dev", guidance_scale=2.0).conventions.guidance
    assert [guidance.at(sigma).scale for sigma in (1.0, 0.99, 0.5)] == [2, 2, 2]
    assert run("0.9.8-13b-dev").conventions.guidance.at(0.9932).scale == 8


@pytest.mark.parametrize(("asked", "negative"), [(None, NEGATIVE_PROMPT), ("", ""), ("dull", "dull")])
def test_an_empty_negative_prompt_is_one(run, asked, negative):
    """Only a negative prompt that was not given is the official one; with diffusers it is empty."""
    assert run(negative_prompt=asked).negative_prompt == negative
    assert run(negative_prompt=asked, compat="diffusers").negative_prompt == (asked or "")


def test_a_seed_is_drawn_where_none_is_asked(run):
    """Without a seed, each run has its own, in the range that can be asked for again."""
    seeds = {run().seed for _ in range(20)}
    assert len(seeds) > 15
    assert all(run(seed=seed).seed == seed for seed in seeds)


def test_a_generator_has_one_name(run):
    """The generator is the CPU's unless asked otherwise, and is named as the table of GPUs has it."""
    assert run().generator == "cpu"
    assert run(generator="NVIDIA GeForce RTX 4090").generator == "RTX 4090"


@pytest.mark.parametrize("name", ["cuda", "", None, 0])
def test_an_unknown_generator_is_refused_with_the_known(run, sentence, name):
    """What is no known generator, torch's own object included, is refused in a sentence that lists them."""
    with pytest.raises(RequestError, match=f"cpu, a GPU \\(T4, .*132x2048, not '{name}'") as error:
        run(generator=name)
    sentence(error)


def test_a_list_of_sigmas_says_how_many_steps(run):
    """A version with a list has its own number of steps, also where the bundle's default is another."""
    got = run(ltxv_version="0.9.8-2b-distilled")
    assert (got.num_inference_steps, [part.kept_steps for part in got.passes]) == (7, [7, 3])


def test_skipped_steps_are_not_made(run):
    """Of thirty steps the 13B dev versions make twenty-seven in their first pass, and thirteen in their second."""
    got = run("0.9.8-13b-dev", num_inference_steps=30)
    assert (got.num_inference_steps, [part.kept_steps for part in got.passes], got.kept_steps) == (30, [27, 13], 40)
    assert run("0.9.8-13b-dev", num_inference_steps=4).passes[0].kept_steps == 1


def test_two_passes_grow_from_two_thirds(run):
    """The first pass is two thirds of what is asked for, in whole latents, the second twice that."""
    first, second = run("0.9.8-2b-distilled", height=704, width=1216).passes
    assert (first.height, first.width, second.height, second.width) == (448, 800, 896, 1600)
    assert second.schedule.sigmas == (0.9094, 0.7250, 0.4219)
    assert [part.tone_map_compression for part in run("0.9.8-13b-distilled", height=64, width=64).passes] == [0, 0.6]


def test_a_single_pass_is_the_first(run):
    """A preview is the first pass as it is in a whole run; without an upscaler one pass has the whole size."""
    size = {"height": 704, "width": 1216}
    assert run("0.9.8-2b-distilled", single_pass=True, **size).passes == run("0.9.8-2b-distilled", **size).passes[:1]
    (whole,) = run("0.9.8-2b-distilled", can_upscale=False, **size).passes
    assert (whole.height, whole.width, whole.kept_steps) == (704, 1216, 7)


def test_guidance_that_is_asked_for_is_that_of_both_passes(run):
    """A scale replaces those of both passes."""
    got = run("0.9.8-13b-dev", guidance_scale=2.0, stg_scale=0.0)
    assert [(part.guidance.scales, part.guidance.stg_scales) for part in got.passes] == [((2.0,), (0.0,))] * 2


def test_a_prompt_may_come_as_embeddings(run, sentence):
    """A bundle without a prompt of its own needs one, or embeddings in its place."""
    with pytest.raises(RequestError, match="A prompt is needed") as error:
        run(defaults=Defaults())
    sentence(error)
    assert run(defaults=Defaults(), has_embeddings=True).prompt == ""
    assert run(defaults=Defaults(), prompt="").prompt == ""


def test_embeddings_have_no_prompt_beside_them(run):
    """A run from embeddings does not claim the bundle's own prompt."""
    assert run(has_embeddings=True).prompt == ""


BAD = [
    ({"height": 100}, "The height should be divisible by 32, and 100 is not: take 96 or 128."),
    ({"width": 33}, "The width should be divisible by 32, and 33 is not: take 32 or 64."),
    ({"height": 31}, "The height should be divisible by 32, and 31 is not: take 32."),
    ({"height": 0}, "The height should be a whole number from 1 up, not 0."),
    ({"width": -32}, "The width should be a whole number from 1 up, not -32."),
    ({"height": 64.0}, "The height should be a whole number from 1 up, not 64.0."),
    ({"height": "64"}, "The height should be a whole number from 1 up, not 64."),
    ({"width": True}, "The width should be a whole number from 1 up, not True."),
    ({"num_frames": 10}, "The number of frames should be 8·n + 1, and 10 is not: take 9 or 17."),
    ({"num_frames": 8}, "The number of frames should be 8·n + 1, and 8 is not: take 1 or 9."),
    ({"num_frames": 96}, "The number of frames should be 8·n + 1, and 96 is not: take 89 or 97."),
    ({"num_frames": 0}, "The number of frames should be a whole number from 1 up, not 0."),
    ({"num_frames": -7}, "The number of frames should be a whole number from 1 up, not -7."),
    ({"fps": 0}, "fps should be a number above 0, not 0."),
    ({"fps": -25.0}, "fps should be a number above 0, not -25.0."),
    ({"fps": NAN}, "fps should be a number above 0, not nan."),
    ({"fps": INF}, "fps should be a number above 0, not inf."),
    ({"num_videos": 0}, "The number of videos should be a whole number from 1 up, not 0."),
    ({"num_videos": -1}, "The number of videos should be a whole number from 1 up, not -1."),
    ({"num_inference_steps": 0}, "The number of steps should be a whole number from 1 up, not 0."),
    ({"num_inference_steps": -3}, "The number of steps should be a whole number from 1 up, not -3."),
    ({"num_inference_steps": NAN}, "The number of steps should be a whole number from 1 up, not nan."),
    ({"guidance_scale": -0.5}, "The guidance scale should be a number from 0 up, not -0.5."),
    ({"guidance_scale": NAN}, "The guidance scale should be a number from 0 up, not nan."),
    ({"guidance_scale": INF}, "The guidance scale should be a number from 0 up, not inf."),
    ({"seed": -1}, "The seed should be a whole number from 0 to 2**64 - 1, not -1."),
    ({"seed": 2**64}, "The seed should be a whole number from 0 to 2**64 - 1, not 18446744073709551616."),
    ({"seed": 1.5}, "The seed should be a whole number from 0 to 2**64 - 1, not 1.5."),
    ({"seed": "x"}, "The seed should be a whole number from 0 to 2**64 - 1, not x."),
    ({"compat": "comfy"}, "compat should be one of official, diffusers, not 'comfy'."),
    ({"ltxv_version": "0.9.5", "num_inference_steps": False}, "The number of steps should be a whole number"),
    (
        {"ltxv_version": "0.9.8-13b-dev", "num_inference_steps": 3},
        "LTX-Video 0.9.8-13b-dev skips 3 steps, so the number of steps should be 4 or more.",
    ),
    ({"single_pass": True}, "LTX-Video 0.9.5 is run in a single pass as it is: leave single_pass out."),
    (
        {"ltxv_version": "0.9.8-2b-distilled", "height": 32},
        "For two passes height and width should be 64 or more, not 32x192.",
    ),
    ({"image": "none.png"}, "There is no image none.png."),
]


@pytest.mark.parametrize(("options", "told"), BAD, ids=lambda value: str(value)[:60])
def test_what_cannot_be_right_is_refused(run, options, told, sentence):
    """Every bad value is one sentence: what was expected, what came, and the nearest that would do."""
    with pytest.raises(RequestError) as error:
        run(**options)
    assert sentence(error).startswith(told)


@pytest.mark.parametrize("name", ["0.9", "latest", "0.9.50"])
def test_an_unknown_version_lists_the_known(run, name, sentence):
    """A version that is not known is refused with all that are."""
    with pytest.raises(RequestError) as error:
        run(ltxv_version=name)
    assert all(known in sentence(error) for known in VERSIONS)


def test_a_version_that_the_files_are_not_is_refused(run, sentence):
    """A bundle that says which versions its files may be is run as none other."""
    versions = ("0.9.5", "0.9.6-dev")
    assert run(versions=versions, ltxv_version="0.9.6-dev").ltxv_version == "0.9.6-dev"
    with pytest.raises(RequestError) as error:
        run(versions=versions, ltxv_version="0.9.1")
    assert sentence(error) == "The bundle's files are those of 0.9.5 or 0.9.6-dev, not of 0.9.1."


@pytest.mark.parametrize("name", [name for name in VERSIONS if version_named(name).schedule.sigmas])
def test_steps_on_a_list_are_refused_quoting_it(run, name, sentence):
    """A number of steps for a version with a list, even its own, is refused with the list."""
    for steps in (5, 7):
        with pytest.raises(RequestError) as error:
            run(ltxv_version=name, num_inference_steps=steps)
        assert "(1, 0.9937, 0.9875, 0.9812, 0.975, 0.9094, 0.725): leave the number of steps out." in sentence(error)
        assert name in sentence(error)


@pytest.mark.parametrize("value", ["height", "width", "num_frames", "num_videos", "num_inference_steps", "seed"])
def test_numbers_of_numpy_are_numbers(run, value):
    """A whole number that comes as numpy's is taken like any other."""
    import numpy as np

    number = {"num_frames": 9, "num_videos": 2, "num_inference_steps": 4, "seed": 3}.get(value, 64)
    got = getattr(run(**{value: np.int64(number)}), value)
    assert got == number
    assert type(got) is int


def test_bad_defaults_of_a_bundle_are_refused_too(run):
    """A size that a bundle hands down is checked like one that was asked for."""
    with pytest.raises(RequestError, match=re.escape("divisible by 32, and 100 is not")):
        run(defaults=dataclasses.replace(DEFAULTS, height=100))
