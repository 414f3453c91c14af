"""Starts a process that works with TensorRT, and follows it."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from vidrt_engines.jsonable import decode, encode
from vidrt_reference.checkpoint.errors import CheckpointError

from vidrt_export.tensorrt.job import Job, Report

LOG = "process.log"


def compile_plan(job: Job, folder: Path, what: str, advance: Callable[[float], None]) -> Report:
    """Compiles a graph in a process of its own.

    Args:
        job: what to compile.
        folder: where the job and what TensorRT logs are written.
        what: the component's name, for errors.
        advance: told the part of the work that is done, 0 to 1.

    Raises:
        CheckpointError: the graph cannot be compiled, with TensorRT's first complaint; or the process died.
    """
    last = run_process("compile", encode(job), folder, what, advance)
    return decode(Report, last, "report")


def run_process(
    module: str, job: object, folder: Path, what: str, advance: Callable[[float], None] = lambda _: None
) -> object:
    """Runs a module of this package as a process with a job, and returns its report.

    Raises:
        CheckpointError: it told an error, or died.
    """
    path = folder / f"{module}.json"
    path.write_text(json.dumps(job), encoding="utf-8")
    command = [sys.executable, "-m", f"vidrt_export.tensorrt.{module}", str(path)]
    with (folder / LOG).open("w", encoding="utf-8") as log:
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, text=True)  # noqa: S603 - our own
        try:
            last = _follow(process, advance)
        finally:
            process.kill()
            process.communicate()
    if "report" in last:
        return last["report"]
    raise CheckpointError(_sentence(what, last, process.returncode, folder / LOG))


def _follow(process: "subprocess.Popen[str]", advance: Callable[[float], None]) -> dict[str, object]:
    """The last message of a process that ends with a report or an error."""
    assert process.stdout is not None
    for line in process.stdout:
        message = json.loads(line)
        if "progress" not in message:
            process.wait()
            return dict(message)
        advance(float(message["progress"]))
    process.wait()
    return {}


def _sentence(what: str, last: dict[str, object], status: int | None, log: Path) -> str:
    lines = [line.strip() for line in log.read_text(encoding="utf-8", errors="replace").splitlines() if line.strip()]
    complaint = next((line.partition("[E]")[2].strip() for line in lines if "[E]" in line), "")
    if "error" in last:
        return f"TensorRT cannot build the {what}: {last['error']}{'; ' + complaint if complaint else ''}."
    reason = complaint or (lines[-1] if lines else "it said nothing")
    killed = ", as a process does that the system stops for lack of memory" if status == -9 else ""  # noqa: PLR2004
    return f"The process that worked on the {what} ended with {status}{killed}: {reason}."
