"""Finds where values leave what their type holds, even where the result hides it.

PyTorch's attention on the CPU gives zeros for queries that are NaN; an engine would not.
"""

from functools import partial

from torch import Tensor, nn


class Overflow(Exception):  # noqa: N818 - what happened, and the layer's name
    """A layer has put out a value that is not finite; the message is the layer's name."""


def watch(module: nn.Module) -> None:
    """Let every layer of a module raise `Overflow` when it puts out what is not finite."""
    for name, layer in module.named_modules():
        layer.register_forward_hook(partial(_look, name))


def _look(name: str, layer: nn.Module, inputs: object, output: object) -> None:  # noqa: ARG001 - torch's signature
    if isinstance(output, Tensor) and not bool(output.isfinite().all()):
        raise Overflow(name or "its output")
