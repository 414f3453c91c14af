"""What running a module once would take, found without memory and without running it."""

import weakref
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.flop_counter import FlopCounterMode


@dataclass(frozen=True, kw_only=True)
class Cost:
    """Floating-point operations of one run, and the bytes that its activations take at the peak."""

    flops: int
    peak_bytes: int


def cost(make: Callable[[], nn.Module], inputs: Callable[[], Mapping[str, Any]]) -> Cost:
    """Counts one run of a module.

    Args:
        make: builds the module, in the precision that counts; called where tensors have no memory.
        inputs: builds its arguments, likewise.
    """
    with FakeTensorMode(), torch.no_grad():
        module = make().eval()
        arguments = dict(inputs())
        given = [*module.parameters(), *module.buffers(), *tree_leaves(arguments)]
        with FlopCounterMode(display=False) as flops, _LiveBytes(given) as live:
            module(**arguments)
    return Cost(flops=flops.get_total_flops(), peak_bytes=live.peak)


class _LiveBytes(TorchDispatchMode):  # type: ignore[no-untyped-call]  # PyTorch leaves it untyped
    """Adds up the storages that operators make, until each is gone; `given` ones were there before."""

    def __init__(self, given: Iterable[Any]) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.live = self.peak = 0
        self._known = {value.untyped_storage()._cdata for value in given if isinstance(value, Tensor)}  # noqa: SLF001

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        for value in tree_leaves(result):
            if isinstance(value, Tensor):
                self._note(value)
        return result

    def _note(self, value: Tensor) -> None:
        storage = value.untyped_storage()
        key, nbytes = storage._cdata, storage.nbytes()  # noqa: SLF001 - the storage itself is made anew each time
        if key in self._known:
            return
        self._known.add(key)
        self.live += nbytes
        self.peak = max(self.peak, self.live)
        weakref.finalize(storage, self._forget, key, nbytes)

    def _forget(self, key: int, nbytes: int) -> None:
        self._known.discard(key)
        self.live -= nbytes
