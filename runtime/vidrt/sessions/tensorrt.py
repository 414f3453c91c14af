"""Sessions on TensorRT and on TensorRT for RTX."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from vidrt_engines.manifest import Engine
from vidrt_engines.names import Component
from vidrt_engines.profiles import is_far
from vidrt_engines.tensors import TensorSpec

from vidrt.arrays import AnyArray
from vidrt.closing import Closing
from vidrt.cuda.arrays import DeviceArray, MixedArray, Shape
from vidrt.cuda.memory import Block
from vidrt.errors import EngineError, OutOfMemoryError, RequestError
from vidrt.sessions.base import check_inputs, check_outputs
from vidrt.sessions.failures import tells_of_memory
from vidrt.sessions.fitting import axis_sizes, choose_profile, refusal
from vidrt.sessions.resources import Resources
from vidrt.sessions.tensorrt_context import ShapedContext
from vidrt.sessions.tensorrt_engine import TensorrtEngine

# How many sets of shapes keep their context and graph: guidance alternates between prompts of two lengths.
_KEPT_CONTEXTS = 4
# Axes that hardly count for the time of a run, so that a short prompt is not told to be far from what is tuned for.
_LIGHT = frozenset({"text_tokens", "timestep_tokens"})


class TensorrtSession(Closing):
    """A plan opened by either flavour of TensorRT.

    Outputs stay on the device if any input came from there; values that are no numbers are then found when they are
    read, since looking at each would stop the queue.
    """

    def __init__(self, folder: Path, engine: Engine, component: Component, resources: Resources) -> None:
        self._engine, self._component, self._folder = engine, component, folder
        self._what, self._note = component.spoken, resources.note
        self._device = resources.cuda()
        self._device.cuda.make_current()
        self.provider = str(engine.backend)
        self._opened: TensorrtEngine | None = TensorrtEngine(folder, engine, component, resources)
        self._contexts: dict[tuple[Shape, ...], ShapedContext] = {}
        self._buffers: dict[str, Block] = {}
        self._resident: dict[str, DeviceArray] = {}

    def run(self, arrays: Mapping[str, MixedArray]) -> dict[str, Any]:
        """Runs the plan once.

        Raises:
            RequestError: the arrays do not fit the manifest, or a size fits none of the profiles.
            EngineError: the plan failed, or gave values that are no numbers.
        """
        check_inputs(self._engine, arrays, self._what)
        self._device.cuda.make_current()
        shapes = {spec.name: tuple(arrays[spec.name].shape) for spec in self._engine.inputs}
        with self._explained():
            context = self._context(shapes)
            for spec in self._engine.inputs:
                self._fill(spec, arrays[spec.name])
            self._run(context)
        if any(isinstance(array, DeviceArray) for array in arrays.values()):
            return {spec.name: self._kept(spec.name, context) for spec in self._engine.outputs}
        results = {spec.name: self._downloaded(spec, context) for spec in self._engine.outputs}
        check_outputs(results, self._what)
        return results

    def close(self) -> None:
        """Releases the plan and its memory, and keeps what was compiled for it."""
        if self._opened is None:
            return
        self._device.synchronise()
        for context in self._contexts.values():
            context.close()
        self._contexts.clear()
        self._resident.clear()
        self._buffers.clear()
        self._opened.close()
        self._opened = None
        self._device.pool.trim()

    @contextmanager
    def _explained(self) -> Iterator[None]:
        """Adds to an error which component it befell and what TensorRT said of it."""
        try:
            yield
        except EngineError as error:
            assert self._opened is not None
            told = self._opened.told(error)
            kind = OutOfMemoryError if tells_of_memory(told) else type(error)
            raise kind(f"The {self._what} failed: {told}.") from error

    def _context(self, shapes: dict[str, Shape]) -> ShapedContext:
        """The context for these shapes, the one used last at the end."""
        key = tuple(shapes.values())
        context = self._contexts.pop(key, None) or self._new_context(shapes)
        self._contexts[key] = context
        return context

    def _new_context(self, shapes: dict[str, Shape]) -> ShapedContext:
        assert self._opened is not None
        if len(self._contexts) >= _KEPT_CONTEXTS:
            self._device.synchronise()
            self._contexts.pop(next(iter(self._contexts))).close()
        profile = self._profile(axis_sizes(self._engine.inputs, shapes))
        return self._opened.context(profile, shapes, self._device)

    def _profile(self, sizes: dict[str, int]) -> int:
        if problem := refusal(self._engine, self._component, sizes, self._folder):
            raise RequestError(problem)
        number = choose_profile(self._engine.profiles, sizes)
        if number is None:
            return 0  # an engine for fixed sizes has no profile to choose
        profile = self._engine.profiles[number]
        named = {axis: size for axis, size in sizes.items() if axis in profile and axis not in _LIGHT}
        if is_far(profile, named):
            tuned = ", ".join(f"{axis} {profile[axis].opt} (here {size})" for axis, size in named.items())
            self._note(f"The {self._what} is tuned for {tuned}: it runs, but not at its best.")
        return number

    def _fill(self, spec: TensorSpec, array: MixedArray) -> None:
        """Brings an input to its buffer, whose address stays the same from run to run so that a graph can be replayed.

        Arrays on the device never change, so that one which is there already is not copied again.
        """
        buffer = self._buffer(spec.name, array.nbytes)
        if not isinstance(array, DeviceArray):
            self._resident.pop(spec.name, None)
            self._device.upload(buffer.pointer, array)
        elif self._resident.get(spec.name) is not array:
            self._device.cuda.copy(buffer.pointer, array.pointer, array.nbytes, self._device.stream)
            self._resident[spec.name] = array

    def _run(self, context: ShapedContext) -> None:
        for spec in self._engine.outputs:
            self._buffer(spec.name, _bytes(spec, context))
        context.run({name: block.pointer for name, block in self._buffers.items()})

    def _buffer(self, name: str, size: int) -> Block:
        """The buffer of a tensor; one that is too small is replaced."""
        if name not in self._buffers or self._buffers[name].size < size:
            self._resident.pop(name, None)
            self._buffers.pop(name, None)
            self._buffers[name] = self._device.pool.take(size)
        return self._buffers[name]

    def _kept(self, name: str, context: ShapedContext) -> DeviceArray:
        array = self._device.empty(context.shape(name))
        self._device.cuda.copy(array.pointer, self._buffers[name].pointer, array.nbytes, self._device.stream)
        return array

    def _downloaded(self, spec: TensorSpec, context: ShapedContext) -> AnyArray:
        values: AnyArray = np.empty(context.shape(spec.name), spec.dtype)
        self._device.download(values, self._buffers[spec.name].pointer)
        return values


def _bytes(spec: TensorSpec, context: ShapedContext) -> int:
    return int(np.prod(context.shape(spec.name), dtype=np.int64)) * np.dtype(spec.dtype).itemsize
