"""Weights that are read when their layer runs and gone after it: a model of any size needs the memory of one layer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from vidrt_reference.checkpoint.read import read_tensor

if TYPE_CHECKING:
    from collections.abc import Mapping

    from vidrt_reference.checkpoint.stored import StoredTensor


def stream_weights(module: nn.Module, stored: Mapping[str, StoredTensor], device: torch.device | str = "cpu") -> None:
    """Let each layer of a module on the meta device read its own parameters when it runs.

    Args:
        module: on the meta device, each parameter in the dtype that it is to have; changed in place.
        stored: by the module's own parameter names, all of them.
        device: where the layers run.
    """
    for name, part in module.named_modules():
        prefix = f"{name}." if name else ""
        own = {leaf: stored[prefix + leaf] for leaf, value in part._parameters.items() if value is not None}  # noqa: SLF001
        if own:
            part.register_forward_pre_hook(_Reader(own, torch.device(device)), prepend=True)
            part.register_forward_hook(_drop)


class _Reader:
    def __init__(self, own: Mapping[str, StoredTensor], device: torch.device) -> None:
        self._own, self._device = own, device

    def __call__(self, module: nn.Module, inputs: Any) -> None:  # noqa: ARG002 - torch's signature
        for leaf, stored in self._own.items():
            value = read_tensor(stored).to(self._device, module.get_parameter(leaf).dtype)
            module.register_parameter(leaf, nn.Parameter(value, requires_grad=False))


def _drop(module: nn.Module, inputs: Any, output: Tensor) -> None:  # noqa: ARG001 - torch's signature
    for leaf, value in module.named_parameters(recurse=False):
        module.register_parameter(leaf, nn.Parameter(torch.empty_like(value, device="meta"), requires_grad=False))
