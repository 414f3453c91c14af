"""Two passes against the official multi-scale pipeline: what each hands to the next, every step, and the frames.

The golden arrays were made by `scripts/golden_ltx_two_passes.py`, which runs the official code on the same weights.
"""

import dataclasses
import shutil

import ltx_original
import ltx_sampling
import ltx_two_passes
import numpy as np
import pytest
import torch
from closeness import relative_l2
from module_engine import ModuleEngine
from vidrt.components.latent_upsampler import LatentUpsampler
from vidrt.components.transformer import Transformer
from vidrt.components.vae_decoder import VaeDecoder
from vidrt.devices import parse_device
from vidrt.pipelines.ltx_video import LtxVideoPipeline
from vidrt.pipelines.request import PromptEmbeddings
from vidrt.progress import SilentProgress
from vidrt.sessions.resources import Resources
from vidrt_engines import components
from vidrt_engines.manifest import FORMAT, Bundle
from vidrt_engines.names import Component, Family
from vidrt_export.sources.source import read_source
from vidrt_reference.checkpoint.load import load
from vidrt_reference.ltx_video import latent_upsampler, transformer

BOUND = 1e-5
# which play as 0.9.8's versions do, but for the tone mapping of one
MARKS = {"0.9.7-dev": pytest.mark.slow, "0.9.7-distilled": pytest.mark.slow}
STEPS = {"dev": (27, 13), "distilled": (7, 3)}
OFFICIAL = {"proj_in": "patchify_proj", "time_embed": "adaln_single", "norm_q": "q_norm", "norm_k": "k_norm"}
EMBEDDINGS = {name: values[:, : ltx_sampling.REAL_TOKENS[name]] for name, values in ltx_sampling.embeddings().items()}
RUN = {
    **ltx_two_passes.SIZE, "fps": ltx_two_passes.FPS, "seed": ltx_sampling.SEED,
    "embeddings": PromptEmbeddings(**EMBEDDINGS),
}  # fmt: skip


@pytest.fixture(scope="module")
def official(checkpoints, tmp_path_factory):
    """The tiny official file whose VAE the pipeline was recorded with."""
    folder = tmp_path_factory.mktemp("official")
    for name in ("text_encoder", "tokenizer"):
        shutil.copytree(checkpoints("0.9.0") / name, folder / name)
    return read_source(ltx_original.save(folder / "ltxv.safetensors"))


def filled(module, value):
    """A module with the weights of its official names."""
    names = {name: ".".join(OFFICIAL.get(part, part) for part in name.split(".")) for name in module.state_dict()}
    state = {n: torch.from_numpy(value(names[n], tuple(v.shape))) for n, v in module.state_dict().items()}
    module.load_state_dict(state, strict=True)
    return module


def deep_transformer(version):
    """The transformer of a version, as deep as it is and as wide as the recorded one."""
    params = transformer.TransformerParams(**ltx_sampling.transformer(version))
    signature = components.transformer(
        in_channels=params.in_channels, out_channels=params.out_channels, text_width=params.caption_channels,
        rope_width=params.inner_dim, layers=params.num_layers,
    )  # fmt: skip
    return ModuleEngine(filled(transformer.Transformer(params), ltx_sampling.value), signature)


def upsampler():
    params = latent_upsampler.LatentUpsamplerParams(**ltx_two_passes.UPSAMPLER)
    signature = components.latent_upsampler(latent_channels=params.in_channels)
    module = filled(latent_upsampler.LatentUpsampler(params), ltx_two_passes.upsampler_value)
    return ModuleEngine(module, signature)


@pytest.fixture
def pipeline_of(official):
    """A function of the version: the recorded pipeline, played by the runtime."""

    def make(version):
        part = official.parts[Component.VAE_DECODER]
        decoder = part.make()
        load(decoder, part.tensors, optional=part.optional)
        parts = {
            "transformer": Transformer(deep_transformer(version)),
            "latent_upsampler": LatentUpsampler(upsampler()),
            "vae_decoder": VaeDecoder(ModuleEngine(decoder, part.signature), timestep=0.05),
        }
        width = ltx_sampling.transformer(version)["attention_head_dim"] * 2
        settings = dataclasses.replace(official.settings, rope_width=width, versions=())
        bundle = Bundle(format=FORMAT, family=Family.LTX_VIDEO, model_version=version, settings=settings)
        return LtxVideoPipeline(bundle, parts, None, SilentProgress(), Resources(parse_device("cpu")))

    return make


def far(got, wanted):
    return relative_l2(torch.from_numpy(np.ascontiguousarray(got)), torch.from_numpy(wanted))


@pytest.mark.parametrize("version", [pytest.param(name, marks=MARKS.get(name, ())) for name in ltx_two_passes.VERSIONS])
def test_both_passes_are_the_official_ones(pipeline_of, version):
    """The first pass's latents, what the second makes of them step by step, and the frames of the size asked for."""
    wanted = ltx_two_passes.recorded(version)
    pipeline = pipeline_of(version)
    seen = pipeline.components["transformer"].engine.watch("latents")
    steps = list(pipeline.denoise(**RUN))
    first, second = STEPS["distilled" if "distilled" in version else "dev"]
    assert [step.index for step in steps] == list(range(1, first + second + 1))
    assert {step.total for step in steps} == {first + second}
    latents = steps[first - 1].latents[0].T.reshape(-1, *ltx_two_passes.FIRST)
    assert far(latents, wanted["first"]) <= BOUND
    start = next(given[0] for given in seen if given.shape[1] == np.prod(ltx_two_passes.SECOND))
    assert far(start, wanted["steps"][0]) <= BOUND
    for step, after in zip(steps[first:], wanted["steps"][1:], strict=True):
        assert far(step.latents[0], after) <= BOUND, step.index
    (video,) = pipeline.decode(steps[-1])
    assert video.frames.shape == (9, 128, 160, 3)
    got, frames = ltx_two_passes.kept(video.frames), (wanted["frames"] * 255).round()
    assert np.abs(got - frames).max() <= 1
    assert (got == frames).mean() > 0.99


def test_versions_differ_where_the_official_ones_do():
    """Tone mapping alone tells 0.9.8-13b-distilled from 0.9.7-distilled, and in frames alone."""
    mapped, plain = (ltx_two_passes.recorded(version) for version in ("0.9.8-13b-distilled", "0.9.7-distilled"))
    assert np.array_equal(mapped["steps"], plain["steps"])
    assert np.abs(mapped["frames"] - plain["frames"]).max() > 2 / 255


def test_a_single_pass_ends_after_the_first(pipeline_of):
    """Asked for a single pass, the run is the first of the two, at its size, and takes no upsampler."""
    pipeline = pipeline_of("0.9.8-2b-distilled")
    del pipeline.components["latent_upsampler"]
    steps = list(pipeline.denoise(**RUN, single_pass=True))
    assert len(steps) == STEPS["distilled"][0]
    wanted = ltx_two_passes.recorded("0.9.8-2b-distilled")["first"]
    assert far(steps[-1].latents[0].T.reshape(wanted.shape), wanted) <= BOUND


def test_each_pass_has_its_own_step_cache(pipeline_of):
    """Both passes leave steps out, count their own, and begin with no velocity of the other's."""
    steps = list(pipeline_of("0.9.8-13b-dev").denoise(**RUN, step_cache=100.0))
    first, second = STEPS["dev"]
    assert [part.steps for part in steps[-1].cached] == [first, second]
    assert steps[first].cached[0] == steps[first - 1].cached[0]
    assert all(2 < part.computed < part.steps for part in steps[-1].cached)
