"""Times what the engines of a pipeline do: opening, and each run."""

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from vidrt.components.base import EngineComponent
from vidrt.cuda.arrays import MixedArray
from vidrt.sessions.base import Session
from vidrt.sessions.component_engine import ComponentEngine


@dataclass(frozen=True, kw_only=True)
class Work:
    """Something that an engine did, from `begin` to `end` as `time.perf_counter` has them."""

    component: str
    is_opening: bool
    begin: float
    end: float
    shapes: Mapping[str, tuple[int, ...]] = field(default_factory=dict)

    @property
    def seconds(self) -> float:
        """How long it took."""
        return self.end - self.begin


class Stopwatch:
    """Watches engines from here on; what they do is in `done`, in its order."""

    def __init__(self) -> None:
        self.done: list[Work] = []

    def watch(self, components: Mapping[str, EngineComponent]) -> None:
        """Watches the engines of components and those of their stages."""
        for name, component in components.items():
            for engine in (component.engine, *component.engine.stages):
                self._watch(name, engine)

    def _watch(self, name: str, engine: ComponentEngine) -> None:
        load, run = engine.load, engine.run

        def timed_load() -> Session:
            if engine.provider is not None:
                return load()
            begin = time.perf_counter()
            session = load()
            self.done.append(Work(component=name, is_opening=True, begin=begin, end=time.perf_counter()))
            return session

        def timed_run(arrays: Mapping[str, MixedArray]) -> dict[str, Any]:
            with engine.held():  # opened before the clock starts
                begin = time.perf_counter()
                outputs = run(arrays)
                end = time.perf_counter()
            shapes = {key: tuple(value.shape) for key, value in arrays.items()}
            self.done.append(Work(component=name, is_opening=False, begin=begin, end=end, shapes=shapes))
            return outputs

        # the instance's own, so that the class and other pipelines stay as they are
        engine.load, engine.run = timed_load, timed_run  # type: ignore[method-assign]
