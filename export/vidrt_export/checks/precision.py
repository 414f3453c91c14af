"""The sentinel: runs a component's precision recipe beside fp32 before an engine of it is compiled.

PyTorch on the CPU computes in half precision what an engine will, islands in fp32 included, and overflows where it
would. It refuses what is not finite, what is constant, and what is too far from fp32.
"""

import dataclasses
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor, nn
from vidrt_engines.names import Precision
from vidrt_engines.precisions import BOUNDS, ISLANDS
from vidrt_engines.profiles import Profile
from vidrt_reference.checkpoint.errors import CheckpointError
from vidrt_reference.checkpoint.streaming import stream_weights
from vidrt_reference.precision import to_precision

from vidrt_export.checks.cost import Cost, cost
from vidrt_export.checks.counts import empty_arguments
from vidrt_export.checks.examples import example_inputs
from vidrt_export.checks.judging import OTHERS, cure, judge, require_reference
from vidrt_export.checks.memory import available_bytes
from vidrt_export.checks.overflow import Overflow, watch
from vidrt_export.checks.shapes import Shape, shapes_of
from vidrt_export.console import Console
from vidrt_export.part import Part, as_arguments

DTYPES = {Precision.FP32: torch.float32, Precision.FP16: torch.float16, Precision.BF16: torch.bfloat16}


@dataclass(frozen=True, kw_only=True)
class Limits:
    """How far the check may go.

    Attributes:
        seconds: for one component; a shape that would take longer is not run, and named.
        tolerance: the largest relative L2, or None for the precision's own bound.
    """

    seconds: float = 600.0
    tolerance: float | None = None


Runner = Callable[[Mapping[str, Tensor], Shape], Tensor]
"""Runs what is checked on inputs by name at a shape."""


def prepared(part: Part, precision: Precision) -> "partial[nn.Module]":
    """What changes a module to a precision: its islands stay in fp32, and so does what it puts out."""
    islands = ISLANDS[part.family][part.component]
    streams = (*islands.streams, "")
    return partial(to_precision, dtype=DTYPES[precision], wide=islands.wide, streams=streams, ranged=islands.ranged)


def check_precision(
    part: Part,
    precision: Precision,
    profiles: Sequence[Profile],
    limits: Limits,
    console: Console,
    run: Runner | None = None,
) -> None:
    """Compares a component in a precision with fp32 at the minimum, optimum and maximum of each profile.

    Args:
        part: the component.
        precision: that of the engine.
        profiles: for which sizes the engine is.
        limits: how long it may take, and how far it may be off.
        console: told the figures, and which shapes were not run.
        run: what is compared with fp32, as an engine on the GPU; None for the recipe in PyTorch.

    Raises:
        CheckpointError: the component cannot be trusted in that precision.
    """
    if precision is Precision.FP32 and run is None:
        return
    spent, pace = 0.0, 0.0
    for shape in shapes_of(profiles):
        expense = _cost(part, precision, shape)
        if reason := _too_much(expense, limits.seconds - spent, pace):
            console.note(f"  not checked in {precision} at {shape.name}: {reason}")
            continue
        begin = time.monotonic()
        error = _compared(part, precision, shape, limits.tolerance or BOUNDS[precision], run)
        spent += (seconds := time.monotonic() - begin)
        pace = seconds / max(expense.flops, 1)
        console.note(f"  {precision} is {error:.1e} from fp32 at {shape.name}, {seconds:.0f} s")


def _cost(part: Part, precision: Precision, shape: Shape) -> Cost:
    """Both runs together: as many operations each, and in fp32 up to twice the memory."""

    def make() -> nn.Module:
        return prepared(part, precision)(part.make())

    one = cost(make, lambda: empty_arguments(part.signature, shape.sizes))
    return dataclasses.replace(one, flops=2 * one.flops, peak_bytes=2 * one.peak_bytes)


def _too_much(expense: Cost, seconds_left: float, pace: float) -> str | None:
    """Why a shape is not run; the first one's pace is not known, and it is the smallest."""
    if seconds_left <= 0:
        return "there is no time left for it (--check-minutes)"
    free = available_bytes()
    if free is not None and expense.peak_bytes > free:
        return f"it needs {expense.peak_bytes / 1e9:.1f} GB and {free / 1e9:.1f} GB are free"
    if expense.flops * pace > seconds_left:
        return f"it would take about {expense.flops * pace / 60:.0f} min on this CPU (--check-minutes)"
    return None


def _compared(part: Part, precision: Precision, shape: Shape, bound: float, run: Runner | None) -> float:
    inputs = example_inputs(part, shape.sizes)
    what = f"The {part.component.spoken} in {precision}"
    wanted = _run(part, Precision.FP32, inputs)
    require_reference(wanted, what, shape.name)
    try:
        found = run(inputs, shape) if run else _run(part, precision, inputs)
    except Overflow as layer:
        raise CheckpointError(f"{what} overflows at {shape.name}, in {layer}: {cure(OTHERS[precision])}.") from layer
    return judge(found, wanted, bound, what, shape.name, other=OTHERS[precision])


def _run(part: Part, precision: Precision, inputs: Mapping[str, Tensor]) -> Tensor:
    device = "cuda" if torch.cuda.is_available() else "cpu"
    with torch.device("meta"):
        module = part.make()
    module = prepared(part, precision)(module).eval()
    stream_weights(module, part.used(), device)
    if precision is not Precision.FP32:  # fp32's own result is judged as a whole
        watch(module)
    with torch.no_grad():
        result: Tensor = module(**as_arguments({name: value.to(device) for name, value in inputs.items()}))
    return result.cpu()
