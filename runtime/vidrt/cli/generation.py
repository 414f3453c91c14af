"""What `vidrt generate` does: checks, plays, writes."""

import dataclasses
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, cast

import click
from vidrt_engines.names import Family
from vidrt_engines.places import DEFAULT_BUNDLE

from vidrt.cli.decoding import decode_options, kept_latents, latents_place
from vidrt.cli.local_weights import bundle_of, bundle_of_file, bundle_of_model
from vidrt.cli.places import check_places, device_of, formats_of, write_decoded, write_videos
from vidrt.cli.planning import plan_lines
from vidrt.cli.seen import times_kept
from vidrt.conditioning.item import parse_condition
from vidrt.errors import RequestError
from vidrt.output.video import Video
from vidrt.pipelines.base import Pipeline
from vidrt.pipelines.load import load_pipeline
from vidrt.pipelines.ltx_video.pipeline import LtxVideoPipeline
from vidrt.pipelines.ltx_video.request import Run
from vidrt.pipelines.options import Options, Step
from vidrt.progress import Progress, make_progress
from vidrt.tensor_files import read_embeddings, read_latents

_SVD = Family.SVD.spoken
# what goes to the pipeline by its own name
_REQUEST = (
    "prompt", "negative_prompt", "height", "width", "num_frames", "fps", "num_videos", "guidance_scale", "stg_scale",
    "rescaling_scale", "stg_mode", "step_cache", "seed",
    "generator", "ltxv_version", "compat", "image", "motion_bucket_id", "noise_aug_strength", "min_guidance_scale",
    "max_guidance_scale", "decode_chunk_size", "resize_mode",
)  # fmt: skip


def run_generation(options: Mapping[str, Any]) -> None:
    """Runs `vidrt generate` with its options by name.

    Raises:
        RequestError, BundleError: what cannot be right, before any weight is read.
        EngineError, OutputError: what failed on the way.
    """
    check_places(options, latents_place(options))
    progress = make_progress(quiet=options["quiet"])
    request = _request(options)
    device = device_of(options)
    bundle = _bundle(options, progress)
    places: Any = {name: options[name] for name in ("backend", "memory_limit")}
    places["decoding"] = decode_options(options)
    places["cache_prompts"] = options["prompt_cache"]
    with load_pipeline(bundle, device=device, progress=progress, **places) as pipeline:
        if options["dry_run"]:
            click.echo("\n".join(plan_lines(pipeline, request)))
            return
        with times_kept(pipeline):
            _make(pipeline, request, progress, options, bundle)


def _make(
    pipeline: Pipeline, request: Options, progress: Progress, options: Mapping[str, Any], bundle: str | Path
) -> None:
    """Denoises, decodes, and writes the videos."""
    step, formats = _denoised(pipeline, request, progress, options), formats_of(options)
    if not isinstance(pipeline, LtxVideoPipeline):
        write_videos(_recorded(pipeline.decode(step), options), options, formats)
        return
    final = pipeline.final_latents(step)
    final = dataclasses.replace(final, record={**final.record, **_given_files(options)})
    with kept_latents(final, options, bundle, progress):
        write_decoded(pipeline, final, options, formats)


def _recorded(videos: Iterable[Video], options: Mapping[str, Any]) -> list[Video]:
    return [dataclasses.replace(video, record={**video.record, **_given_files(options)}) for video in videos]


def _request(options: Mapping[str, Any]) -> Options:
    request: Any = {name: options[name] for name in _REQUEST if options[name] is not None}
    if options["steps"] is not None:
        request["num_inference_steps"] = options["steps"]
    if options["single_pass"]:
        request["single_pass"] = True
    if options["condition"]:
        request["conditions"] = tuple(map(parse_condition, options["condition"]))
    if path := options["embeddings_file"]:
        if options["prompt"] is not None:
            raise RequestError("Give a prompt or an embeddings file, not both.")
        request["embeddings"] = read_embeddings(path)
    if path := options["initial_latents_file"]:
        request["latents"] = read_latents(path)
    return cast("Options", request)


def _bundle(options: Mapping[str, Any], progress: Progress) -> str | Path:
    given = [name for name in ("bundle", "local_weights", "unified_weights", "model_id") if options[name] is not None]
    if len(given) > 1:
        names = " and ".join(f"--{name}".replace("_", "-") for name in given)
        raise RequestError(f"{names} exclude each other: give one of them.")
    if options["revision"] is not None and options["model_id"] is None:
        raise RequestError("--revision concerns a model of the hub: give --model-id as well, or leave it out.")
    if options["use_bf16_t5"] and options["local_weights"] is None:
        raise RequestError("--use-bf16-t5 concerns a folder that may hold a GGUF file: give --local-weights as well.")
    if options["upscaler"] is not None and given in ([], ["bundle"]):
        raise RequestError(
            "--upscaler concerns a checkpoint whose bundle is built: give --local-weights, --unified-weights or "
            "--model-id as well, or build the bundle with build-engines --upscaler."
        )
    version = options["ltxv_version"]
    how: Any = {"quiet": options["quiet"], "upscaler": options["upscaler"]}
    if options["local_weights"] is not None:
        full = bool(options["use_bf16_t5"])
        return bundle_of(options["local_weights"], version, progress, use_bf16_t5=full, **how)
    if options["unified_weights"] is not None:
        return bundle_of_file(options["unified_weights"], version, progress, **how)
    if options["model_id"] is not None:
        return bundle_of_model(options["model_id"], options["revision"], version, progress, **how)
    return DEFAULT_BUNDLE if options["bundle"] is None else str(options["bundle"])


def _denoised(pipeline: Pipeline, request: Options, progress: Progress, options: Mapping[str, Any]) -> Step:
    run = pipeline.check(**request)
    if options["save_final_latents"] and not isinstance(run, Run):
        raise RequestError("--save-final-latents concerns LTX-Video: leave it out.")
    name = f"LTX-Video {run.ltxv_version}" if isinstance(run, Run) else f"{_SVD} {pipeline.bundle.model_version}"
    progress.note(f"{name}, {run.height}x{run.width}, {run.num_frames} frames, seed {run.seed}")
    progress.note(f"Device: {pipeline.device}.")
    if pipeline.bundle.note:
        progress.note(pipeline.bundle.note)
    if isinstance(pipeline, LtxVideoPipeline) and isinstance(run, Run):
        for remark in pipeline.remarks(run):
            progress.note(remark)
    request["seed"] = run.seed
    return pipeline.denoised(**request)


def _given_files(options: Mapping[str, Any]) -> dict[str, str]:
    """The files that a run began with, for its record."""
    names = ("image", "embeddings_file", "initial_latents_file")
    return {name: str(options[name]) for name in names if options[name]}
