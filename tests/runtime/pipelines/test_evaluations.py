"""What a run asks of its engines, as told before it, is what the engines are then seen to do."""

import dataclasses
import shutil
from collections import Counter

import pytest
import tiny_upscaler
from traces import patch_tracing
from vidrt import Condition, load_pipeline
from vidrt.components.tiles import Tiles
from vidrt.pipelines.decode_options import DecodeOptions
from vidrt.stopwatch import Stopwatch
from vidrt.watched_runs import engine_runs
from vidrt_engines.manifest import read_bundle, write_bundle
from vidrt_engines.names import Backend, Component
from vidrt_engines.versions import VERSIONS

SMALL = {"prompt": "a fox", "height": 64, "width": 64, "num_frames": 9, "num_inference_steps": 3, "seed": 7}
SVD = {"height": 64, "width": 64, "num_frames": 3, "num_inference_steps": 2, "seed": 7}


@pytest.fixture(scope="module")
def two_passes(bundles, checkpoints, traces, tmp_path_factory):
    """A bundle with an upscaler that may be played as any version."""
    from vidrt_export.build import build
    from vidrt_export.console import Console
    from vidrt_export.plan import make_plan
    from vidrt_export.sources.diffusers_folder import read_diffusers_folder
    from vidrt_export.sources.upscaler import read_upscaler, with_upscaler

    root = tmp_path_factory.mktemp("two")
    folder = shutil.copytree(bundles("0.9.5"), root / "bundle")
    upscaler = read_upscaler(tiny_upscaler.save_folder(root / "upscaler"))
    checkpoint = with_upscaler(read_diffusers_folder(checkpoints("0.9.5")), upscaler)
    plan = make_plan(
        checkpoint, precision=None, components=[Component.LATENT_UPSAMPLER], backends=[Backend.ONNXRUNTIME]
    )
    with pytest.MonkeyPatch.context() as patch:
        patch_tracing(patch, traces)
        build(plan, folder, Console(quiet=True))
    bundle = read_bundle(folder)
    write_bundle(folder, dataclasses.replace(bundle, settings=dataclasses.replace(bundle.ltx, versions=())))
    return folder


def told_and_seen(pipeline, request):
    """The operations of each run of each engine, by what the pipeline tells and by what a stopwatch sees."""
    engines = {name: component.engine.engine for name, component in pipeline.components.items()}
    told = Counter()
    for one in pipeline.evaluations(**request):
        operations = engines[one.component].operations.at(one.sizes)
        told[str(one.component), round(operations), one.is_streamed] += one.count
    watch = Stopwatch()
    watch.watch(pipeline.components)
    pipeline.videos(**request)
    seen = Counter(
        (name, round(run.operations), run.is_streamed)
        for name in engines
        for run in engine_runs([work for work in watch.done if work.component == name])
    )
    return told, seen


@pytest.mark.parametrize(
    ("changes", "decoding"),
    [
        ({}, None),
        ({"negative_prompt": "blurry red stars", "guidance_scale": 3.0, "num_videos": 2}, None),
        ({"guidance_scale": 1.0, "num_videos": 2}, DecodeOptions(slicing=False)),
        ({"height": 96, "num_frames": 25}, DecodeOptions(tiles=Tiles(height=64, width=64, frames=16))),
    ],
)
def test_ltx_video_does_what_is_told(bundles, changes, decoding):
    """With guidance and without, for several videos, whole and in tiles."""
    with load_pipeline(bundles("0.9.5"), device="cpu", backend="onnxruntime", decoding=decoding) as pipeline:
        told, seen = told_and_seen(pipeline, {**SMALL, **changes})
    assert told == seen
    assert {name for name, *_ in told} == {"text_encoder", "transformer", "vae_decoder"}


@pytest.mark.parametrize("version", ["0.9.5", "0.9.8-13b-dev"])
def test_perturbed_blocks_conditions_and_passes_are_told(two_passes, photo, monkeypatch, version):
    """Blocks that are perturbed double the batch, conditions are encoded in each pass and add tokens."""
    own = VERSIONS["0.9.5"]  # whose block is deeper than the tiny model
    shallow = dataclasses.replace(own, guidance=dataclasses.replace(own.guidance, blocks=((1,),)))
    monkeypatch.setitem(VERSIONS, "0.9.5", shallow)
    conditions = (Condition(media=photo), Condition(media=photo, frame=16))
    request = {**SMALL, "num_frames": 17, "conditions": conditions, "ltxv_version": version}
    request |= {"stg_scale": 1.0, "guidance_scale": 3.0} if version == "0.9.5" else {"num_inference_steps": 30}
    with load_pipeline(two_passes, device="cpu", backend="onnxruntime") as pipeline:
        told, seen = told_and_seen(pipeline, {**request, "height": 96, "width": 96})
    assert told == seen
    assert ("latent_upsampler" in {name for name, *_ in told}) is (version != "0.9.5")


@pytest.mark.parametrize(
    "changes", [{}, {"max_guidance_scale": 1.0}, {"num_videos": 2, "decode_chunk_size": 2, "compat": "diffusers"}]
)
def test_stable_video_diffusion_does_what_is_told(svd_bundle, photo, changes):
    """With guidance and without, frames decoded in chunks that may mix videos."""
    with load_pipeline(svd_bundle, device="cpu") as pipeline:
        told, seen = told_and_seen(pipeline, {**SVD, **changes, "image": photo})
    assert told == seen
