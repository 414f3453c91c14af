"""Conditioned runs against the official pipeline: where they begin, and every step.

The golden arrays were made by `scripts/golden_ltx_conditioning.py`, which runs the official code on the same weights.
"""

import dataclasses
from itertools import pairwise

import ltx_conditioning
import ltx_original
import numpy as np
import pytest
import torch
from closeness import relative_l2
from vidrt.conditioning.denoising import ConditionedDenoiser
from vidrt.conditioning.encode import EncodedClip
from vidrt.conditioning.rules import ConditionRules
from vidrt.conditioning.start import Place, conditioned_start
from vidrt.noise.torch_cpu import TorchCpuGenerator
from vidrt.pipelines.latents import latent_grid, unpack
from vidrt.pipelines.ltx_video.denoising import first_noise
from vidrt.pipelines.ltx_video.prompts import Contexts
from vidrt.pipelines.ltx_video.request import Request
from vidrt.pipelines.ltx_video.settling import settle
from vidrt.schedulers.flow_match_euler import schedule_sigmas
from vidrt_engines.versions import version_named
from vidrt_reference.checkpoint.read import read_tensor
from vidrt_reference.checkpoint.stored import read_header, read_metadata
from vidrt_reference.ltx_video.original.config import told
from vidrt_reference.ltx_video.original.file import original_file
from vidrt_reference.ltx_video.transformer import Transformer
from vidrt_reference.ltx_video.vae_encoder import VaeEncoder

BOUND = 1e-5
RECORDED = ("steps", "coordinates", "mask", "extra")
each_case = pytest.mark.parametrize("name", ltx_conditioning.CASES)


class Model:
    """A reference module in the place of its engine."""

    def __init__(self, module, layers=0):
        self.module, self.layers = module, layers

    @torch.no_grad()
    def __call__(self, *arrays):
        given = (None if array is None else torch.from_numpy(np.ascontiguousarray(array)) for array in arrays)
        return self.module(*given).numpy()


@pytest.fixture(scope="session")
def models(tmp_path_factory):
    """A function of a form: the transformer and the VAE's encoder with the weights that the official modules had."""
    made = {}

    def make(form):
        if form not in made:
            path = ltx_original.save(tmp_path_factory.mktemp("official") / "ltxv.safetensors", form)
            file = original_file(read_header(path), told(read_metadata(path), where=path))
            transformer = loaded(Transformer(file.transformer), file.transformer_tensors)
            made[form] = transformer, loaded(VaeEncoder(file.vae), file.vae_tensors.encoder)
        return made[form]

    return make


@pytest.fixture
def settings(make_settings):
    """A bundle's settings with the statistics of those weights."""
    statistics = {name: tuple(map(float, values)) for name, values in ltx_conditioning.statistics().items()}
    return make_settings(
        latent_channels=ltx_conditioning.CHANNELS,
        latents_mean=statistics["mean_of_means"],
        latents_std=statistics["std_of_means"],
    )


@pytest.fixture
def start_of(models, settings):
    """A function of a case: its run, its noise levels, where it begins, and its generators as they stand then."""

    def begin(case):
        run = settled(case, settings)
        grid = latent_grid(settings, **ltx_conditioning.SIZE)
        generators = TorchCpuGenerator(ltx_conditioning.SEED), TorchCpuGenerator(ltx_conditioning.SEED)
        encoder = Model(models(case.form)[1])
        clips = [
            EncodedClip(moments=encoder(ltx_conditioning.clip(item)), frame=item.frame, strength=item.strength)
            for item in case.items
        ]
        place = Place(grid=grid, fps=run.fps, rope_time=run.conventions.rope_time)

        def draw():
            return unpack(first_noise(run, grid, ltx_conditioning.CHANNELS, generators[0]), grid)

        start = conditioned_start(draw, clips, place, ConditionRules.OFFICIAL, generators, settings)
        return run, schedule_sigmas(run.conventions.schedule, ltx_conditioning.STEPS, grid.tokens), start, generators

    return begin


def settled(case, settings):
    """The run of a case, by the version's own schedule, which was the checkpoint's."""
    request = Request(
        prompt="", seed=ltx_conditioning.SEED, fps=ltx_conditioning.FPS, num_inference_steps=ltx_conditioning.STEPS,
        guidance_scale=ltx_conditioning.GUIDANCE, stg_scale=case.stg_scale, rescaling_scale=case.rescaling_scale,
        **ltx_conditioning.SIZE,
    )  # fmt: skip
    run = settle(request, settings, case.version)
    guidance = dataclasses.replace(
        run.conventions.guidance, cfg_star=case.cfg_star, blocks=(ltx_conditioning.BLOCKS,)
    )  # of a model as deep as this one
    schedule = version_named(case.version).schedule
    rules = dataclasses.replace(run.conventions, schedule=schedule, guidance=guidance)
    return dataclasses.replace(run, conventions=rules)


def loaded(module, tensors):
    """A module with a file's tensors."""
    module.load_state_dict({name: read_tensor(tensor) for name, tensor in tensors.items()}, strict=True)
    return module.eval()


def recorded(name):
    """What the official pipeline did in one case."""
    return {what: ltx_conditioning.recorded("runs")[f"{name}, {what}"] for what in RECORDED}


@each_case
def test_a_run_begins_where_the_official_one_does(start_of, name):
    """Latents, coordinates, strengths and the number of extra tokens."""
    wanted = recorded(name)
    _, _, start, _ = start_of(ltx_conditioning.CASES[name])
    assert start.extra == wanted["extra"]
    assert np.array_equal(start.mask, wanted["mask"])
    seconds = wanted["coordinates"] * np.array([np.float32(1 / ltx_conditioning.FPS), 1, 1], np.float32)
    assert np.array_equal(start.coordinates, seconds)
    assert start.latents.shape == (1, *wanted["steps"][0].shape)
    assert relative_l2(torch.from_numpy(start.latents[0]), torch.from_numpy(wanted["steps"][0])) <= BOUND
    assert np.array_equal(start.clean, start.latents)


@each_case
def test_every_step_is_the_official_one(start_of, models, name):
    """The latents after each step, extra tokens and those that wait for their noise level included."""
    case, wanted = ltx_conditioning.CASES[name], recorded(name)["steps"]
    run, sigmas, start, generators = start_of(case)
    assert len(sigmas) == len(wanted)
    model = models(case.form)[0]
    denoiser = ConditionedDenoiser(
        Model(model, model.params.num_layers), run.conventions, run.conventions.guidance, start, model.params.inner_dim,
        Contexts(**ltx_conditioning.embeddings()), condition_rules=ConditionRules.OFFICIAL, sigmas=sigmas,
    )  # fmt: skip
    latents = denoiser.begin()
    for step, (sigma, following) in enumerate(pairwise(sigmas), 1):
        latents = denoiser.step(latents, sigma, following, generators)
        assert relative_l2(torch.from_numpy(latents[0]), torch.from_numpy(wanted[step])) <= BOUND, step


def test_conditions_count():
    """Runs that differ by their conditions alone end far from each other, so that agreement is no accident."""
    plain = recorded("nothing")["steps"][-1]
    for name in set(ltx_conditioning.CASES) - {"nothing"}:
        ended = recorded(name)
        video = ended["steps"][-1][ended["extra"] :]
        assert relative_l2(torch.from_numpy(video), torch.from_numpy(plain)) > 0.01, name
