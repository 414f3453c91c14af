"""What running a module once would take, found without memory and without running it."""

import weakref
from collections.abc import Callable, Iterable, Mapping, Sequence
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


def peak_bytes(
    make: Callable[[], nn.Module], inputs: Sequence[Callable[[], Mapping[str, Any]]]
) -> tuple[list[int], int]:
    """The bytes that activations take at the peak, for one run of a module on each of some inputs.

    Args:
        make: builds the module, called once where tensors have no memory.
        inputs: each builds the arguments of a run, likewise.

    Returns:
        The bytes of each run, and the elements of the largest parameter that any operator took, a look-up aside.
    """
    peaks, largest = [], 0
    with FakeTensorMode(), torch.no_grad():
        module = make().eval()
        for one in inputs:
            arguments = dict(one())
            given = [*module.parameters(), *module.buffers(), *tree_leaves(arguments)]
            with _LiveBytes(given) as live:
                module(**arguments)
            peaks.append(live.peak)
            largest = max(largest, live.largest_given)
    return peaks, largest


class _LiveBytes(TorchDispatchMode):  # type: ignore[no-untyped-call]  # PyTorch leaves it untyped
    """Adds up the storages that operators make, until each is gone; `given` ones were there before."""

    def __init__(self, given: Iterable[Any]) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.live = self.peak = self.largest_given = 0
        self._known = {value.untyped_storage()._cdata for value in given if isinstance(value, Tensor)}  # noqa: SLF001

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        if func is not torch.ops.aten.embedding.default:
            self._note_given(args)
        for value in tree_leaves(result):
            if isinstance(value, Tensor):
                self._note(value)
        return result

    def _note_given(self, args: Any) -> None:
        given = (value for value in tree_leaves(args) if isinstance(value, nn.Parameter))
        self.largest_given = max(self.largest_given, *(value.numel() for value in given), 0)

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
