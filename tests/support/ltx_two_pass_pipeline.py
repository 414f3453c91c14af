"""The recorded pipeline of two passes, played by the runtime, and how far it is from the official one."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

import ltx_sampling
import ltx_two_passes
import numpy as np
import torch
from closeness import relative_l2
from module_engine import ModuleEngine
from vidrt.components.latent_upsampler import LatentUpsampler
from vidrt.components.transformer import Transformer
from vidrt.components.vae_decoder import VaeDecoder
from vidrt.components.vae_encoder import VaeEncoder
from vidrt.devices import parse_device
from vidrt.pipelines.ltx_video.pipeline import LtxVideoPipeline
from vidrt.pipelines.ltx_video.request import PromptEmbeddings
from vidrt.progress import SilentProgress
from vidrt.sessions.resources import Resources
from vidrt_engines import components
from vidrt_engines.manifest import FORMAT, Bundle
from vidrt_engines.names import Component, Family
from vidrt_reference.checkpoint.load import load
from vidrt_reference.ltx_video import latent_upsampler, transformer

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from torch import nn
    from vidrt_export.sources.source import Source

BOUND = 1e-5
_STEPS = {"dev": (27, 13), "distilled": (7, 3)}
_OFFICIAL = {"proj_in": "patchify_proj", "time_embed": "adaln_single", "norm_q": "q_norm", "norm_k": "k_norm"}
_EMBEDDINGS = {name: values[:, : ltx_sampling.REAL_TOKENS[name]] for name, values in ltx_sampling.embeddings().items()}
RUN: dict[str, Any] = {
    **ltx_two_passes.SIZE, "fps": ltx_two_passes.FPS, "seed": ltx_sampling.SEED,
    "embeddings": PromptEmbeddings(**_EMBEDDINGS),
}  # fmt: skip


def make_pipeline(official: Source, version: str) -> LtxVideoPipeline:
    """The pipeline of a version, with the VAE of the tiny official file."""
    parts = {
        "transformer": Transformer(_transformer(version)),
        "latent_upsampler": LatentUpsampler(_upsampler()),
        "vae_encoder": VaeEncoder(_of_file(official, Component.VAE_ENCODER)),
        "vae_decoder": VaeDecoder(_of_file(official, Component.VAE_DECODER), timestep=0.05),
    }
    width = ltx_sampling.transformer(version)["attention_head_dim"] * 2
    settings = dataclasses.replace(official.settings, rope_width=width, versions=())
    bundle = Bundle(format=FORMAT, family=Family.LTX_VIDEO, model_version=version, settings=settings)
    return LtxVideoPipeline(bundle, parts, None, SilentProgress(), Resources(parse_device("cpu")))


def steps_of(version: str) -> tuple[int, int]:
    """The steps of a version's two passes."""
    return _STEPS["distilled" if "distilled" in version else "dev"]


def far(got: np.ndarray, wanted: np.ndarray) -> float:
    """The relative L2 of arrays."""
    return relative_l2(torch.from_numpy(np.ascontiguousarray(got)), torch.from_numpy(wanted))


def check_passes(pipeline: LtxVideoPipeline, version: str, wanted: Mapping[str, np.ndarray], **options: Any) -> Any:
    """Plays a run, holds both passes to what the official pipeline made of it, and gives the last step."""
    seen = pipeline.components["transformer"].engine.watch("latents")
    steps = list(pipeline.denoise(**RUN, **options))
    first, second = steps_of(version)
    assert [step.index for step in steps] == list(range(1, first + second + 1))
    assert {step.total for step in steps} == {first + second}
    latents = steps[first - 1].latents[0].T.reshape(-1, *ltx_two_passes.FIRST)
    assert far(latents, wanted["first"]) <= BOUND
    start = next(given[0] for given in seen if given.shape[1] == wanted["steps"].shape[1])
    assert far(start, wanted["steps"][0]) <= BOUND
    for step, after in zip(steps[first:], wanted["steps"][1:], strict=True):
        assert far(step.state[0], after) <= BOUND, step.index
    return steps[-1]


def check_frames(frames: np.ndarray, wanted: np.ndarray) -> None:
    """Holds a video's frames (F, H, W, 3) to the bytes that were kept of the official ones."""
    size = ltx_two_passes.SIZE
    assert frames.shape == (size["num_frames"], size["height"], size["width"], 3)
    got = ltx_two_passes.kept(frames).astype(np.float32)
    assert np.abs(got - wanted).max() <= 1
    assert (got == wanted).mean() > 0.99


def _transformer(version: str) -> ModuleEngine:
    """As deep as the version's, and as wide as the recorded one."""
    params = transformer.TransformerParams(**ltx_sampling.transformer(version))
    signature = components.transformer(
        in_channels=params.in_channels, out_channels=params.out_channels, text_width=params.caption_channels,
        rope_width=params.inner_dim, layers=params.num_layers,
    )  # fmt: skip
    return ModuleEngine(_filled(transformer.Transformer(params), ltx_sampling.value), signature)


def _upsampler() -> ModuleEngine:
    params = latent_upsampler.LatentUpsamplerParams(**ltx_two_passes.UPSAMPLER)
    signature = components.latent_upsampler(latent_channels=params.in_channels)
    module = _filled(latent_upsampler.LatentUpsampler(params), ltx_two_passes.upsampler_value)
    return ModuleEngine(module, signature)


def _of_file(official: Source, component: Component) -> ModuleEngine:
    part = official.parts[component]
    module = part.make()
    load(module, part.tensors, optional=part.optional)
    return ModuleEngine(module, part.signature)


def _filled(module: nn.Module, value: Callable[[str, tuple[int, ...]], np.ndarray]) -> nn.Module:
    """A module with the weights of its official names."""
    names = {name: ".".join(_OFFICIAL.get(part, part) for part in name.split(".")) for name in module.state_dict()}
    state = {n: torch.from_numpy(value(names[n], tuple(v.shape))) for n, v in module.state_dict().items()}
    module.load_state_dict(state, strict=True)
    return module
