"""Runs of the embedded LTX-Video with the step cache: what they save, what they lose, what their record says."""

import numpy as np
import pytest
from vidrt.components.transformer import Transformer
from vidrt.conditioning.item import Condition
from vidrt.output.record import write_record

STEPS = 40


@pytest.fixture
def evaluations(monkeypatch):
    """The timesteps that the transformer was asked for, call by call."""
    asked, call = [], Transformer.__call__

    def counted(self, latents, context, timestep, *others):
        asked.append(float(timestep.max()))
        return call(self, latents, context, timestep, *others)

    monkeypatch.setattr(Transformer, "__call__", counted)
    return asked


def psnr(ours, theirs):
    return 10 * np.log10(255**2 / np.square(ours.astype(np.float64) - theirs).mean())


def test_a_tiny_threshold_changes_no_bit(demo, small, evaluations):
    """With nothing to guess, the run is the one without a cache, evaluation by evaluation."""
    options = {**small, "num_inference_steps": 10}
    plain = demo.denoised(**options)
    without = list(evaluations)
    cached = demo.denoised(**options, step_cache=1e-9)
    assert evaluations == without * 2
    assert np.array_equal(cached.latents, plain.latents)
    assert (plain.cached, cached.cached[0].computed) == ((), 10)


def test_fewer_evaluations_make_nearly_the_same_video(demo, evaluations, tmp_path):
    """Half of the evaluations at most, above 36 dB, and nearer than a run of as many steps; the record says it all.

    41 dB were measured, and 35 for the shorter run.
    """
    whole = demo(seed=0, num_inference_steps=STEPS)
    assert len(evaluations) == 2 * STEPS  # guided: with the prompt and with the negative one
    evaluations.clear()
    cached = demo(seed=0, num_inference_steps=STEPS, step_cache="auto")
    done = cached.record["cached_passes"][0]
    assert 2 * done["computed"] == len(evaluations) <= STEPS
    assert (done["steps"], done["threshold"], cached.record["step_cache"]) == (STEPS, 0.1, "auto")
    assert 0 < done["guess_error_mean"] <= done["guess_error_max"] < 0.5
    shorter = demo(seed=0, num_inference_steps=done["computed"])
    assert psnr(cached.frames, whole.frames) > max(36, psnr(shorter.frames, whole.frames))
    assert whole.record["cached_passes"] == []
    write_record(tmp_path / "video.json", cached.record)


@pytest.mark.parametrize("strength", [1.0, 0.5])
def test_conditions_keep_what_they_hold(demo, small, photo, evaluations, strength):
    """A run with a picture is guessed too, and keeps near to the one that is not."""
    options = {**small, "num_inference_steps": 20, "conditions": [Condition(media=photo, strength=strength)]}
    plain = demo.denoised(**options).latents
    evaluations.clear()
    cached = demo.denoised(**options, step_cache=0.1)
    assert len(evaluations) == 2 * cached.cached[0].computed < 36
    assert np.linalg.norm(cached.latents - plain) < 0.1 * np.linalg.norm(plain)


def test_every_step_says_what_was_saved_so_far(demo, small):
    """Whoever stops early has the word on what was done."""
    steps = list(demo.denoise(**{**small, "num_inference_steps": 12}, step_cache=0.5))
    assert [step.cached[0].steps for step in steps] == list(range(1, 13))
    assert [step.cached[0].computed for step in steps[:3]] == [1, 2, 2]


def test_what_was_saved_is_told(notes, small):
    """Once, in a line, when the pass is over."""
    from vidrt.pipelines.load import load_pipeline

    with load_pipeline("demo:ltx-video", device="cpu", progress=notes) as pipeline:
        pipeline(**{**small, "num_inference_steps": 12}, step_cache=0.5)
    told = [line for line in notes.lines if line.startswith("Step cache: ")]
    assert len(told) == 1
    assert "of 12 steps computed, guesses off by" in told[0]
