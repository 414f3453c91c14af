"""What running a module would take, found without memory and without running it."""

import weakref
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.flop_counter import flop_registry, sdpa_flop

# PyTorch has no formula for its attention on the CPU, and counts it as nothing.
_FORMULAS = {**flop_registry, torch.ops.aten._scaled_dot_product_flash_attention_for_cpu: sdpa_flop}  # noqa: SLF001


@dataclass(frozen=True, kw_only=True)
class Cost:
    """What one run takes.

    Attributes:
        flops: floating-point operations in products of matrices, convolutions and attention.
        peak_bytes: the most that its activations hold at once.
        largest_weight: the elements of the largest parameter that any operator took, a look-up aside.
    """

    flops: int
    peak_bytes: int
    largest_weight: int


def cost(make: Callable[[], nn.Module], inputs: Callable[[], Mapping[str, Any]]) -> Cost:
    """Counts one run of a module; arguments as in `costs`."""
    return costs(make, [inputs])[0]


def costs(make: Callable[[], nn.Module], inputs: Sequence[Callable[[], Mapping[str, Any]]]) -> list[Cost]:
    """Counts a run of a module on each of some inputs.

    Args:
        make: builds the module, in the precision that counts; called once, where tensors have no memory.
        inputs: each builds the arguments of a run, likewise.
    """
    with FakeTensorMode(), torch.no_grad():
        module = make().eval()
        return [_counted(module, dict(one())) for one in inputs]


def _counted(module: nn.Module, arguments: Mapping[str, Any]) -> Cost:
    with _Counter([*module.parameters(), *module.buffers(), *tree_leaves(arguments)]) as counter:
        module(**arguments)
    return Cost(flops=counter.flops, peak_bytes=counter.peak, largest_weight=counter.largest_weight)


class _Counter(TorchDispatchMode):  # type: ignore[no-untyped-call]  # PyTorch leaves it untyped
    """Adds up operations, and the storages that operators make, until each is gone; `given` ones were there before."""

    def __init__(self, given: Iterable[Any]) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.live = self.peak = self.largest_weight = self.flops = 0
        self._known = {value.untyped_storage()._cdata for value in given if isinstance(value, Tensor)}  # noqa: SLF001

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        if (formula := _FORMULAS.get(func._overloadpacket)) is not None:  # noqa: SLF001 - as PyTorch's own counter does
            self.flops += formula(*args, **(kwargs or {}), out_val=result)
        if func is not torch.ops.aten.embedding.default:
            self._note_given(args)
        for value in tree_leaves(result):
            if isinstance(value, Tensor):
                self._note(value)
        return result

    def _note_given(self, args: Any) -> None:
        given = (value for value in tree_leaves(args) if isinstance(value, nn.Parameter))
        self.largest_weight = max(self.largest_weight, *(value.numel() for value in given), 0)

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
