"""Group norm in ONNX, by backend."""

from collections.abc import Callable
from typing import Any

import torch
from onnxscript import opset23 as op
from vidrt_engines.names import Backend


def norm_translations(backend: Backend) -> dict[Callable[..., Any], Callable[..., Any]]:
    """For each norm that a backend is not to take as ONNX has it the function that writes it otherwise.

    onnxruntime takes GroupNormalization for the mean of squares less the square of the mean. Where values lie further
    from zero than from each other that loses digits, a hundred times as many as PyTorch, and a group of few values may
    even have a variance below zero, which gives NaN. Its InstanceNormalization subtracts the mean first.
    """
    return {torch.ops.aten.group_norm.default: _group_norm} if backend is Backend.ONNXRUNTIME else {}


def _group_norm(x: Any, groups: int, weight: Any, bias: Any, eps: float = 1e-5, cudnn_enabled: bool = True) -> Any:  # noqa: ARG001 - PyTorch's signature
    """(N, C, ...), of fp32, to the same; weight and bias are (C,)."""
    grouped = op.Reshape(x, op.Constant(value_ints=[0, groups, -1]))
    ones, zeros = (op.Constant(value_floats=[value] * groups) for value in (1.0, 0.0))
    normed = op.Reshape(op.InstanceNormalization(grouped, ones, zeros, epsilon=eps), op.Shape(x))
    behind = op.Constant(value_ints=list(range(1, len(x.shape) - 1)))
    return op.Add(op.Mul(normed, op.Unsqueeze(weight, behind)), op.Unsqueeze(bias, behind))
