"""One compilation, as a process of its own: `python -m vidrt_export.tensorrt.compile JOB.json`.

TensorRT's memory is gone with the process, a crash in it is a sentence and not the end of the build, and each process
has one flavour. It tells its progress, and at the end its report or what went wrong.
"""

import mmap
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from vidrt_engines.jsonable import decode, encode, read_json
from vidrt_engines.names import Backend

from vidrt_export.checks.memory import own_peak_bytes
from vidrt_export.tensorrt import flavour
from vidrt_export.tensorrt.audit import audit
from vidrt_export.tensorrt.channel import open_channel, tell
from vidrt_export.tensorrt.job import Audit, Job, Report
from vidrt_export.tensorrt.progress import progress_monitor


class CompileError(Exception):
    """TensorRT could not make a plan of a graph."""


def main() -> None:
    """Reads the job that the command line names, does it and tells."""
    channel = open_channel()
    try:
        job = decode(Job, read_json(Path(sys.argv[1])), "job")
        report = run(job, lambda part: tell(channel, {"progress": part}))
    except CompileError as error:
        tell(channel, {"error": str(error)})
        sys.exit(1)
    tell(channel, {"report": encode(report)})


def run(job: Job, advance: Callable[[float], None]) -> Report:
    """Parses, audits, compiles and writes a plan.

    Args:
        job: what to do.
        advance: told the part of the compilation that is done, 0 to 1.

    Raises:
        CompileError: the parser or the builder refused the graph, or the audit found something wrong.
    """
    started = time.monotonic()
    trt = flavour.load(job.backend)
    logger = trt.Logger(trt.Logger.ERROR)
    builder = trt.Builder(logger)
    network = builder.create_network(0)
    parser = trt.OnnxParser(network, logger)
    weights = _parse(parser, job)
    found = audit(network, trt, job.expected)
    if found.problems:
        raise CompileError("the network is not what the recipe says: " + "; ".join(found.problems))
    config = _config(builder, network, job, trt, progress_monitor(trt, advance))
    _write_plan(builder, network, config, job, trt)
    del weights  # the parser and the network point into them until here
    return _report(trt, found, time.monotonic() - started)


def _parse(parser: Any, job: Job) -> list[Any]:
    """Parses the graph with its weights where they lie, mapped; returns what has to outlive the network."""
    graph = Path(job.graph)
    if not parser.load_model_proto(graph.read_bytes(), str(graph)):
        raise CompileError(_parser_errors(parser))
    maps: dict[str, tuple[mmap.mmap, Any]] = {}
    for name, place in job.initializers.items():
        if place.path not in maps:
            maps[place.path] = _mapped(Path(place.path))
        address = maps[place.path][1].ctypes.data + place.offset
        if not parser.load_initializer(name, address, place.nbytes):
            raise CompileError(f"the parser refused the weight {name}")
    if not parser.parse_model_proto():
        raise CompileError(_parser_errors(parser))
    return list(maps.values())


def _mapped(path: Path) -> tuple[mmap.mmap, Any]:
    with path.open("rb") as file:
        mapped = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    return mapped, np.frombuffer(mapped, np.uint8)


def _parser_errors(parser: Any) -> str:
    errors = [parser.get_error(number).desc() for number in range(parser.num_errors)]
    return "the parser refused the graph: " + "; ".join(errors[:3])


def _config(builder: Any, network: Any, job: Job, trt: Any, monitor: Any) -> Any:
    """The builder's configuration through Polygraphy, which knows both flavours."""
    from polygraphy.backend.tensorrt_rtx import CreateConfigRTX
    from polygraphy.backend.trt import CreateConfig, Profile

    create = CreateConfigRTX if job.backend is Backend.TENSORRT_RTX else CreateConfig
    profiles = [Profile() for _ in job.profiles]
    for profile, shapes in zip(profiles, job.profiles, strict=True):
        for name, (low, middle, high) in shapes.items():
            profile.add(name, low, middle, high)
    more: dict[str, Any] = {}
    if job.memory_limit is not None:
        more["memory_pool_limits"] = {trt.MemoryPoolType.WORKSPACE: job.memory_limit}
    if job.timing_cache and Path(job.timing_cache).is_file():
        more["load_timing_cache"] = job.timing_cache
    config = create(
        profiles=profiles, progress_monitor=monitor, strip_plan=job.strip, weight_streaming=job.stream_weights, **more
    )(builder, network)
    # what stays in fp32 is there for its precision, and small
    config.clear_flag(trt.BuilderFlag.TF32)
    if job.strip:
        # the plain kind may lose a bias: the weights to come are said to be these
        config.clear_flag(trt.BuilderFlag.REFIT)
        config.set_flag(trt.BuilderFlag.REFIT_IDENTICAL)
    return config


def _write_plan(builder: Any, network: Any, config: Any, job: Job, trt: Any) -> None:
    """Streams the plan to its file: it is never whole in memory a second time."""
    with Path(job.plan).open("wb") as file:

        class Writer(trt.IStreamWriter):  # type: ignore[misc]  # the module is not known before
            def __init__(self) -> None:
                trt.IStreamWriter.__init__(self)

            def write(self, data: bytes) -> int:
                return file.write(data)

        if not builder.build_serialized_network_to_stream(network, config, Writer()):
            raise CompileError("the builder gave no plan")
        file.flush()
        os.fsync(file.fileno())
    if job.timing_cache and (cache := config.get_timing_cache()):
        _keep(Path(job.timing_cache), memoryview(cache.serialize()))


def _keep(path: Path, content: memoryview) -> None:
    """Writes what was measured, so that a reader sees the old file or the new one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    beside.write_bytes(content)
    beside.replace(path)


def _report(trt: Any, found: Audit, seconds: float) -> Report:
    return Report(version=trt.__version__, audit=found, peak_bytes=own_peak_bytes(), seconds=seconds)


if __name__ == "__main__":
    main()
