"""The official conventions against the official pipeline: every version's noise levels, first noise and each step.

The golden arrays were made by `scripts/golden_ltx_sampling.py`, which runs the official code on the same weights.
"""

import dataclasses
from itertools import pairwise

import ltx_sampling
import numpy as np
import pytest
import torch
from closeness import relative_l2
from vidrt.conditioning.start import Place, plain_start
from vidrt.noise.torch_cpu import TorchCpuGenerator
from vidrt.pipelines.latents import latent_grid
from vidrt.pipelines.ltx_video.denoising import Denoiser, first_noise
from vidrt.pipelines.ltx_video.prompts import Contexts
from vidrt.pipelines.ltx_video.request import Request
from vidrt.pipelines.ltx_video.settling import settle
from vidrt.schedulers.flow_match_euler import schedule_sigmas
from vidrt_engines.versions import version_named
from vidrt_reference.ltx_video.transformer import Transformer, TransformerParams

BOUND = 1e-5
# 0.9.7's configurations are not in the official repository any more; its files run by 0.9.8's.
CASES = [tuple(key.split()) for key in ltx_sampling.recorded()]
OFFICIAL = {"proj_in": "patchify_proj", "time_embed": "adaln_single", "norm_q": "q_norm", "norm_k": "k_norm"}


class Model:
    """The reference transformer of a version in the place of its engine."""

    def __init__(self, version):
        config = ltx_sampling.transformer(version)
        self.layers = config["num_layers"]
        self.module = Transformer(TransformerParams(**config)).eval()
        values = {name: torch.from_numpy(self._value(name, v)) for name, v in self.module.state_dict().items()}
        self.module.load_state_dict(values)
        self.batches = []

    @torch.no_grad()
    def __call__(self, latents, *arrays):
        self.batches.append(len(latents))
        given = (None if array is None else torch.from_numpy(np.ascontiguousarray(array)) for array in arrays)
        return self.module(torch.from_numpy(latents), *given).numpy()

    @staticmethod
    def _value(name, value):
        official = ".".join(OFFICIAL.get(part, part) for part in name.split("."))
        return ltx_sampling.value(official, tuple(value.shape))


@pytest.fixture
def made(make_settings):
    """A version's run as it is settled from a request, and its grid."""

    def make(version, **options):
        settings = make_settings(latent_channels=ltx_sampling.CHANNELS)
        size = {"height": 64, "width": 96, "num_frames": 9, "fps": 24.0}
        run = settle(Request(prompt="", seed=ltx_sampling.SEED, **size, **options), settings, version)
        # the checkpoint's own scheduler is the version's
        rules = dataclasses.replace(run.conventions, schedule=version_named(version).schedule)
        return dataclasses.replace(run, conventions=rules), latent_grid(settings, 64, 96, 9)

    return make


@pytest.mark.parametrize(("version", "mode"), CASES)
def test_every_step_is_the_official_one(made, version, mode):
    """First noise, the number of steps, and the latents after each of them, whatever guidance a step takes."""
    wanted = ltx_sampling.recorded()[f"{version} {mode}"]
    run, grid = made(version, stg_mode=mode)
    sigmas = schedule_sigmas(run.conventions.schedule, run.num_inference_steps, grid.tokens)
    assert len(sigmas) == len(wanted)
    latents = first_noise(run, grid, ltx_sampling.CHANNELS, TorchCpuGenerator(ltx_sampling.SEED))
    assert np.abs(latents[0] - wanted[0]).max() <= 1e-6
    latents = wanted[:1]
    texts = {name: values[:, : ltx_sampling.REAL_TOKENS[name]] for name, values in ltx_sampling.embeddings().items()}
    model = Model(version)
    denoiser = Denoiser(model, *how(run, grid), model.module.params.inner_dim, Contexts(**texts))
    generators = TorchCpuGenerator(ltx_sampling.SEED), TorchCpuGenerator(ltx_sampling.SEED)
    for step, (sigma, following) in enumerate(pairwise(sigmas), 1):
        latents = denoiser.step(latents, sigma, following, generators)
        assert relative_l2(torch.from_numpy(latents[0]), torch.from_numpy(wanted[step])) <= BOUND, step


@pytest.mark.parametrize(("version", "mode"), CASES)
def test_no_pass_is_made_that_a_step_does_not_need(made, version, mode):
    """One evaluation of the prompt, two in one batch where blocks are perturbed, and one of the negative prompt."""
    run, grid = made(version, stg_mode=mode)
    model = Noise(version_named(version).layers)
    text = np.ones((1, 2, ltx_sampling.TEXT), np.float32)
    denoiser = Denoiser(model, *how(run, grid), 16, Contexts(positive=text, negative=text))
    for sigma in schedule_sigmas(run.conventions.schedule, run.num_inference_steps, grid.tokens)[:-1]:
        model.batches.clear()
        denoiser.velocity(np.ones((1, grid.tokens, ltx_sampling.CHANNELS), np.float32), sigma)
        rule = run.conventions.guidance.at(float(sigma))
        perturbs = rule.stg_scale > 0 and rule.blocks and mode != "residual"
        assert model.batches == [1 + bool(perturbs)] + [1] * (rule.scale > 1)


def how(run, grid):
    """What a denoiser is told of a run, and where it begins."""
    first = np.zeros((1, ltx_sampling.CHANNELS, grid.frames, grid.rows, grid.columns), np.float32)
    place = Place(grid=grid, fps=run.fps, rope_time=run.conventions.rope_time)
    return run.conventions, run.conventions.guidance, plain_start(first, place)


class Noise:
    """A transformer that only counts."""

    def __init__(self, layers):
        self.layers, self.batches, self.random = layers, [], np.random.default_rng(0)

    def __call__(self, latents, *_):
        self.batches.append(len(latents))
        return self.random.standard_normal(latents.shape, np.float32)
