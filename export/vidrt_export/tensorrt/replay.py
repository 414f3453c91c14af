"""Runs a plan once on the GPU, in a process of its own: `python -m vidrt_export.tensorrt.replay JOB.json`."""

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
from vidrt_engines.jsonable import decode, encode, read_json

from vidrt_export.tensorrt import flavour
from vidrt_export.tensorrt.channel import open_channel, tell
from vidrt_export.tensorrt.job import Inspection, Replay

# how kernels of fused attention are called
_ATTENTION = ("mha", "attention", "flash")


def main() -> None:
    """Reads the job that the command line names, runs the plan, writes what it gives."""
    channel = open_channel()
    job = decode(Replay, read_json(Path(sys.argv[1])), "job")
    tell(channel, {"report": encode(run(job))})


def run(job: Replay) -> Inspection:
    """Deserialises a plan, gives it its weights if it was stripped of them, and runs one of its profiles.

    Returns:
        What the engine's inspector says of the layers that the builder has made.
    """
    trt = flavour.load(job.backend)
    logger = trt.Logger(trt.Logger.ERROR)
    runtime = trt.Runtime(logger)
    engine = runtime.deserialize_cuda_engine(Path(job.plan).read_bytes())
    if job.graph:
        _refit(engine, job.graph, trt, logger)
    from polygraphy.backend.trt import TrtRunner

    with np.load(job.inputs) as inputs, TrtRunner(engine, optimization_profile=job.profile) as runner:
        outputs: dict[str, Any] = runner.infer(dict(inputs))
    np.savez(job.outputs, **outputs)
    return _inspected(engine, trt)


def _inspected(engine: Any, trt: Any) -> Inspection:
    """Counts layers by what their descriptions say: fused attention is a kernel whose name says so."""
    inspector = engine.create_engine_inspector()
    told = json.loads(inspector.get_engine_information(trt.LayerInformationFormat.JSON))
    layers = [json.dumps(layer).lower() for layer in told.get("Layers", [])]
    fused = [layer for layer in layers if any(word in layer for word in _ATTENTION)]
    return Inspection(layers=len(layers), attentions=len(fused))


def _refit(engine: Any, graph: str, trt: Any, logger: Any) -> None:
    refitter = trt.Refitter(engine, logger)
    parser = trt.OnnxParserRefitter(refitter, logger)
    if not parser.refit_from_file(graph) or not refitter.refit_cuda_engine():
        raise RuntimeError("the plan did not take its weights")


if __name__ == "__main__":
    main()
