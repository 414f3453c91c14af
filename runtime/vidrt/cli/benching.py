"""What `vidrt bench` does: some runs of one request, and a table of them."""

import dataclasses
import json
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from statistics import median
from typing import Any, cast

import click
from vidrt_engines.places import DEFAULT_BUNDLE

from vidrt import cpu
from vidrt.bench.machine import Peaks, measured_peaks
from vidrt.bench.remarks import peak_remarks
from vidrt.bench.report import HEADINGS, advice, rows
from vidrt.bench.run import Timed, timed_run
from vidrt.cli.places import device_of
from vidrt.errors import RequestError
from vidrt.output.errors import OutputError
from vidrt.output.paths import check_output_file
from vidrt.output.record import write_record
from vidrt.pipelines.base import Pipeline
from vidrt.pipelines.load import load_pipeline
from vidrt.pipelines.options import Options
from vidrt.progress import Progress, make_progress
from vidrt.seen_times import SeenTimes
from vidrt.stopwatch import Stopwatch
from vidrt.tensor_files import read_embeddings

_REQUEST = {"prompt": "prompt", "image": "image", "height": "height", "width": "width", "num_frames": "num_frames",
            "steps": "num_inference_steps", "guidance_scale": "guidance_scale",
            "step_cache": "step_cache"}  # fmt: skip
_SEED = 0  # every run makes the same video


def run_bench(options: Mapping[str, Any]) -> None:
    """Runs `vidrt bench` with its options by name.

    Raises:
        RequestError, BundleError: what cannot be right, before any weight is read.
        EngineError, OutputError: what failed on the way.
    """
    if options["json_file"] is not None:
        _check_place(options["json_file"])
    bundle = options["bundle"] or DEFAULT_BUNDLE
    request = _request(options)
    progress = make_progress(quiet=options["quiet"])
    how: Any = {"device": device_of(options), "backend": options["backend"], "keep_loaded": options["keep_loaded"]}
    with load_pipeline(bundle, **how) as pipeline:
        run = pipeline.check(**request)
        progress.note(f"{bundle}, {run.height}x{run.width}, {run.num_frames} frames, {run.kept_steps} steps")
        progress.note(f"Device: {pipeline.device}.")
        timed = _timed(pipeline, request, options["runs"], progress)
        best = measured_peaks()
        figures = _figures(pipeline, run, timed, best)
    if not options["quiet"]:
        click.echo("\n".join(_lines(pipeline, timed, best)))
    if options["json_file"] is not None:
        write_record(options["json_file"], figures)


def _request(options: Mapping[str, Any]) -> Options:
    request: Any = {ours: options[name] for name, ours in _REQUEST.items() if options[name] is not None}
    request["seed"] = _SEED
    if options["embeddings_file"] is not None:
        request["embeddings"] = read_embeddings(options["embeddings_file"])
    return cast("Options", request)


def _timed(pipeline: Pipeline, request: Options, runs: int, progress: Progress) -> list[Timed]:
    """Runs a request under the stopwatch, and keeps how fast the engines were."""
    watch, timed = Stopwatch(), []
    watch.watch(pipeline.components)
    with progress.task("benchmark", total=runs, unit="run") as task:
        for _ in range(runs):
            timed.append(timed_run(pipeline, watch, request))
            SeenTimes(pipeline.place).keep(watch.done)
            task.advance()
    return timed


def _check_place(path: Path) -> None:
    try:
        check_output_file(path)
    except OutputError as error:
        raise RequestError(str(error)) from error


def _typical(timed: Sequence[Timed]) -> Timed:
    """The run whose time is the median of all but the first, which reads the files."""
    others = sorted(timed[1:] or timed, key=lambda run: run.seconds)
    return others[(len(others) - 1) // 2]


def _lines(pipeline: Pipeline, timed: Sequence[Timed], best: Peaks) -> list[str]:
    typical, first = _typical(timed), timed[0]
    peaks = best if pipeline.place.kind == "cpu" else None  # a CPU's best says nothing of a GPU
    table = [HEADINGS, *rows(typical.phases, typical.seconds, peaks)]
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    lines = [_line(row, widths) for row in table]
    about = (
        f"A run takes {typical.seconds:.2f} s, its first step is done after {typical.first_step:.2f} s; "
        f"the first run took {first.seconds:.2f} s and {first.first_step:.2f} s."
    )
    told = f"{best.flops / 1e9:.0f} GFLOP/s in products of fp32 matrices, {best.bytes / 1e9:.0f} GB/s in copies"
    machine = f"This machine: {cpu.name()}, {told}."
    remarks = peak_remarks(typical.phases, pipeline.components, pipeline.place)
    return [*lines, about, machine, *remarks, advice(typical.phases, typical.seconds, peaks)]


def _line(row: Sequence[str], widths: Sequence[int]) -> str:
    """The first cell to the left, the others to the right."""
    name, *others = (cell.ljust(width) if number == 0 else cell.rjust(width)
                     for number, (cell, width) in enumerate(zip(row, widths, strict=True)))  # fmt: skip
    return "  ".join([name, *others])


def _figures(pipeline: Pipeline, run: Any, timed: Sequence[Timed], best: Peaks) -> dict[str, object]:
    return {
        "vidrt": version("vidrt"),
        "processor": cpu.name(),
        "peaks": dataclasses.asdict(best),
        "device": pipeline.device,
        "precisions": {name: part.engine.engine.precision for name, part in pipeline.components.items()},
        "height": run.height,
        "width": run.width,
        "num_frames": run.num_frames,
        "steps": run.kept_steps,
        "median_seconds": median(each.seconds for each in timed),
        "runs": json.loads(json.dumps([dataclasses.asdict(each) for each in timed])),
    }
