"""`vidrt bench`: a table for any bundle, and the same as JSON."""

import json
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

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


def test_shares_of_the_best_are_told(vidrt):
    """Each phase has a share from its operations, and the file has them beside the bytes of weights that are read."""
    ended = vidrt("bench", *SMALL, "--runs", 1, "--json", "figures.json")
    assert all(line.rstrip().endswith(("%", "% memory")) for line in ended.out.splitlines()[1:4])
    (run,) = json.loads(Path("figures.json").read_text())["runs"]
    assert all(phase["demand"]["flops"] > 0 < phase["demand"]["weight_bytes"] for phase in run["phases"])


def test_guidance_and_the_step_cache_change_the_runs(vidrt):
    """Without guidance a step is one evaluation, and guessed steps are none; what SVD does not know is refused."""
    runs = {}
    for options in (("--guidance-scale", 1), ("--guidance-scale", 1, "--step-cache", 9)):
        arguments = (*SMALL, "--steps", 12, "--runs", 1, "--json", "figures.json", *options)
        assert vidrt("bench", *arguments).status == 0
        (run,) = json.loads(Path("figures.json").read_text())["runs"]
        runs[len(options)] = {phase["component"]: phase["runs"] for phase in run["phases"]}["transformer"]
    assert runs[2] == 12
    assert 3 <= runs[4] < 12
    ended = vidrt("bench", "demo:svd", "--cpu", "--guidance-scale", 2, "--image", "photo.png")
    assert (ended.status, ended.out) == (2, "")


def test_embeddings_stand_for_a_prompt(vidrt, place):
    """With an embeddings file there is no text encoder to time."""
    values = np.random.default_rng(0).standard_normal((1, 5, 128)).astype(np.float32)
    mask = np.ones((1, 5), np.int64)
    names = ("prompt_embeds", "prompt_attention_mask", "negative_prompt_embeds", "negative_prompt_attention_mask")
    save_file(dict(zip(names, (values, mask, values, mask), strict=True)), place / "embeddings.safetensors")
    assert vidrt("bench", *SMALL, "--runs", 1, "--embeddings-file", "embeddings.safetensors").out.count("encoder") == 0


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
