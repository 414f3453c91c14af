"""A reference module in the place of a component's engine: whole pipelines run without a graph being traced."""

from __future__ import annotations

from contextlib import nullcontext
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from vidrt.devices import Device
from vidrt_engines.names import Backend

if TYPE_CHECKING:
    from collections.abc import Mapping
    from contextlib import AbstractContextManager

    from torch import nn
    from vidrt_engines.components import Signature


class ModuleEngine:
    """Does what a `ComponentEngine` does, by PyTorch in fp32."""

    stages: tuple[Any, ...] = ()
    device = Device(kind="cpu")
    memory_limit: int | None = None

    def __init__(self, module: nn.Module, signature: Signature) -> None:
        self._module = module.eval()
        self._watched: dict[str, list[np.ndarray]] = {}
        self.engine = SimpleNamespace(
            inputs=signature.inputs, outputs=signature.outputs, key={}, stages=(), backend=Backend.ONNXRUNTIME
        )

    def held(self) -> AbstractContextManager[None]:
        """There is nothing to open."""
        return nullcontext()

    def close(self) -> None:
        """There is nothing to close."""

    def refusal(self, *_: object) -> None:
        """A module takes any sizes."""

    def put(self, values: Any) -> Any:
        """Values are where the module computes."""
        return values

    def watch(self, name: str) -> list[np.ndarray]:
        """A list that fills with what an input is in every run."""
        return self._watched.setdefault(name, [])

    @torch.no_grad()
    def run(self, arrays: Mapping[str, Any]) -> dict[str, Any]:
        """Run the module on named arrays."""
        for name, seen in self._watched.items():
            seen.append(np.array(arrays[name]))
        given = {name: torch.from_numpy(np.ascontiguousarray(values)) for name, values in arrays.items()}
        (output,) = self.engine.outputs
        return {output.name: self._module(**given).numpy()}
